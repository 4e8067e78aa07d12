# An AWS role for each Kubernetes service account that needs one, and what it may do (modules/policies).
data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # What the chart calls them in a release `simops` in `simops-system`, which hack/eks/deploy makes.
  release_namespace = "simops-system"
  service_accounts = {
    operator      = { accounts = ["${local.release_namespace}:simops-operator"] }
    gateway       = { accounts = ["${local.release_namespace}:simops-gateway"] }
    simulation    = { accounts = [for namespace in var.simulation_namespaces : "${namespace}:simops-simulation"] }
    load_balancer = { accounts = ["kube-system:aws-load-balancer-controller"] }
    autoscaler    = { accounts = ["kube-system:cluster-autoscaler"] }
    vpc_cni       = { accounts = ["kube-system:aws-node"] }
  }
}

module "policies" {
  source = "./modules/policies"

  partition        = data.aws_partition.current.partition
  region           = var.region
  account          = data.aws_caller_identity.current.account_id
  cluster          = var.name
  bucket_arn       = aws_s3_bucket.results.arn
  kms_key_arn      = var.kms_key_arn
  oidc_provider    = aws_iam_openid_connect_provider.cluster.arn
  vpc_arn          = aws_vpc.this.arn
  service_accounts = { for name, of in local.service_accounts : name => of.accounts }
}

resource "aws_iam_role" "service_account" {
  for_each = local.service_accounts

  name               = "${var.name}-${replace(each.key, "_", "-")}"
  assume_role_policy = module.policies.assumed_by[each.key]
}

resource "aws_iam_role_policy" "service_account" {
  for_each = toset(["operator", "gateway", "simulation", "load_balancer", "autoscaler"])

  name   = "what-it-does"
  role   = aws_iam_role.service_account[each.key].id
  policy = module.policies.allowed[each.key]
}

resource "aws_iam_role_policy_attachment" "vpc_cni" {
  role       = aws_iam_role.service_account["vpc_cni"].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
}
