module "values" {
  source = "./modules/values"

  name             = var.name
  region           = var.region
  vpc_cidr         = var.vpc_cidr
  api_service_cidr = "${cidrhost(local.service_cidr, 1)}/32"
  registry         = split("/", aws_ecr_repository.this["operator"].repository_url)[0]
  bucket           = aws_s3_bucket.results.bucket
  role_arns        = { for name in ["operator", "gateway"] : name => aws_iam_role.service_account[name].arn }
  simulation_role_arns = {
    for namespace in var.simulation_namespaces : namespace => aws_iam_role.service_account["simulation_${namespace}"].arn
  }
  namespaces        = var.simulation_namespaces
  gateway_host      = var.gateway_host
  certificate_arn   = var.certificate_arn
  gateway_is_public = var.gateway_public
}

output "chart_values" {
  description = "Values of the chart that this installation decides; hack/eks/values.yaml has those that are the same for all."
  value       = module.values.yaml
}

output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "region" {
  description = "Its region."
  value       = var.region
}

output "vpc_id" {
  description = "Its VPC, for the load balancer controller."
  value       = aws_vpc.this.id
}

output "registry" {
  description = "Host of the image registry."
  value       = split("/", aws_ecr_repository.this["operator"].repository_url)[0]
}

output "bucket" {
  description = "Bucket of the results."
  value       = aws_s3_bucket.results.bucket
}

output "load_balancer_role_arn" {
  description = "Role of the load balancer controller."
  value       = aws_iam_role.service_account["load_balancer"].arn
}

output "autoscaler_role_arn" {
  description = "Role of the cluster autoscaler."
  value       = aws_iam_role.service_account["autoscaler"].arn
}

output "simulation_namespace" {
  description = "First namespace of simulations, for a first job."
  value       = var.simulation_namespaces[0]
}
