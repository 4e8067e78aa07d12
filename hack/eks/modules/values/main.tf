# Values of the chart, out of what was made. No provider is needed, so that this is tried without AWS.
terraform {
  required_version = ">= 1.9, < 2.0"
}

variable "name" {
  description = "Name of the installation."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the VPC, those of the endpoints of S3 and STS and of the API server among them."
  type        = string
}

variable "api_service_cidr" {
  description = "Address of the Service `kubernetes`, as a CIDR."
  type        = string
}

variable "registry" {
  description = "Host of the image registry."
  type        = string
}

variable "bucket" {
  description = "Bucket of the results."
  type        = string
}

variable "role_arns" {
  description = "ARNs of the roles of operator and gateway."
  type        = object({ operator = string, gateway = string })
}

variable "namespaces" {
  description = "Namespaces of simulations; the first one is that of names without a namespace."
  type        = list(string)
}

variable "simulation_role_arns" {
  description = "Namespace of simulations → ARN of the role of its bundle containers."
  type        = map(string)
}

variable "gateway_host" {
  description = "Host name of the gateway. Empty: no load balancer."
  type        = string
}

variable "certificate_arn" {
  description = "ACM certificate of that host."
  type        = string
}

variable "gateway_is_public" {
  description = "Whether the load balancer is on the internet."
  type        = bool
}

locals {
  annotations = { for namespace, arn in var.simulation_role_arns : namespace => { "eks.amazonaws.com/role-arn" = arn } }
  identity    = { for who, arn in var.role_arns : who => { annotations = { "eks.amazonaws.com/role-arn" = arn } } }
  endpoint    = "https://s3.${var.region}.amazonaws.com"
  ingress = {
    enabled = var.gateway_host != ""
    host    = var.gateway_host
    annotations = { for name, value in {
      "certificate-arn" = var.certificate_arn
      "scheme"          = var.gateway_is_public ? "internet-facing" : "internal"
    } : "alb.ingress.kubernetes.io/${name}" => value if var.gateway_host != "" }
  }
}

output "yaml" {
  description = "The values as YAML."
  value = yamlencode({
    images   = { allowed = ["${var.registry}/${var.name}/simulations/*"] }
    operator = { image = { repository = "${var.registry}/${var.name}/operator" }, serviceAccount = local.identity.operator }
    gateway = {
      image               = { repository = "${var.registry}/${var.name}/api" }
      serviceAccount      = local.identity.gateway
      publicStoreEndpoint = local.endpoint
      ingress             = local.ingress
    }
    simulations = { namespaces = var.namespaces, serviceAccount = { namespaceAnnotations = local.annotations } }
    store       = { endpoint = local.endpoint, region = var.region, bucket = var.bucket }
    networkPolicies = {
      store       = { cidrs = [var.vpc_cidr] }
      apiServer   = { cidrs = [var.vpc_cidr, var.api_service_cidr] }
      gatewayFrom = [{ ipBlock = { cidr = var.vpc_cidr } }]
    }
  })
}
