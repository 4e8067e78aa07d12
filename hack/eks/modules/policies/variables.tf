variable "partition" {
  description = "AWS partition: aws, aws-cn, aws-us-gov."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "account" {
  description = "AWS account."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the bucket of results."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts it. Empty: S3's own keys."
  type        = string
}

variable "oidc_provider" {
  description = "ARN of the cluster's OIDC provider."
  type        = string
}

variable "vpc_arn" {
  description = "ARN of the VPC."
  type        = string
}

variable "namespaces" {
  description = "Namespaces of simulations; each has a role of its own, simulation_NAMESPACE."
  type        = list(string)
}

variable "service_accounts" {
  description = "Who each role is for: names of service accounts as namespace:name."
  type        = map(list(string))
}
