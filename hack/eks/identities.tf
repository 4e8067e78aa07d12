# An AWS role for each Kubernetes service account that needs one, and what it may do (modules/policies).
data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # What the chart calls them in a release `simops` in `simops-system`, which hack/eks/deploy makes.
  release_namespace = "simops-system"
  service_accounts = merge(
    {
      operator      = { accounts = ["${local.release_namespace}:simops-operator"] }
      gateway       = { accounts = ["${local.release_namespace}:simops-gateway"] }
      load_balancer = { accounts = ["kube-system:aws-load-balancer-controller"] }
      autoscaler    = { accounts = ["kube-system:cluster-autoscaler"] }
      vpc_cni       = { accounts = ["kube-system:aws-node"] }
    },
    { for namespace in var.simulation_namespaces : "simulation_${namespace}" => { accounts = ["${namespace}:simops-simulation"] } },
  )
  role_names = { for name, of in local.service_accounts : name => "${var.name}-${replace(name, "_", "-")}" }
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
  namespaces       = var.simulation_namespaces
  service_accounts = { for name, of in local.service_accounts : name => of.accounts }
}

resource "aws_iam_role" "service_account" {
  for_each = local.service_accounts

  # AWS takes 64 characters, and a namespace may have 63.
  name               = length(local.role_names[each.key]) <= 64 ? local.role_names[each.key] : "${substr(local.role_names[each.key], 0, 55)}-${substr(sha256(each.key), 0, 8)}"
  assume_role_policy = module.policies.assumed_by[each.key]
}

resource "aws_iam_role_policy" "service_account" {
  for_each = toset([for name in keys(local.service_accounts) : name if name != "vpc_cni"])

  name   = "what-it-does"
  role   = aws_iam_role.service_account[each.key].id
  policy = module.policies.allowed[each.key]
}

resource "aws_iam_role_policy_attachment" "vpc_cni" {
  role       = aws_iam_role.service_account["vpc_cni"].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
}
