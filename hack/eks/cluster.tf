# The control plane, who may reach it, and its own add-ons.
resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = module.policies.assumed_by_eks
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

# Made here, or EKS makes it, to be kept for ever.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_days
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  enabled_cluster_log_types = ["api", "audit", "authenticator"]
  # Add-ons are named below; nothing is installed that this file does not name.
  bootstrap_self_managed_addons = false

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.api_access_cidrs) > 0
    public_access_cidrs     = length(var.api_access_cidrs) > 0 ? var.api_access_cidrs : null
  }

  kubernetes_network_config {
    service_ipv4_cidr = local.service_cidr
  }

  depends_on = [
    aws_iam_role_policy_attachment.cluster,
    aws_cloudwatch_log_group.cluster,
  ]
}

locals {
  # Outside the private ranges that a VPC of 10.* has, and what EKS itself would take.
  service_cidr = "172.20.0.0/16"
}

# Kubernetes' service accounts become AWS identities by tokens that this provider vouches for.
resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

# The network plugin comes before the nodes: a Pod that starts before its policies are enforced would be without them.
resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "vpc-cni"
  service_account_role_arn    = aws_iam_role.service_account["vpc_cni"].arn
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    enableNetworkPolicy = "true"
    env = {
      # "strict" would close Pods without any policy for good, CoreDNS among them. In "standard" a Pod is open until its policies are in
      # force, which is a second or two after its start; the image pull and the bundle container's own start come before the simulation.
      NETWORK_POLICY_ENFORCING_MODE = "standard"
      # More Pods on a node than it has addresses singly.
      ENABLE_PREFIX_DELEGATION = "true"
    }
  })
}

resource "aws_eks_addon" "kube_proxy" {
  cluster_name = aws_eks_cluster.this.name
  addon_name   = "kube-proxy"
}

resource "aws_eks_addon" "coredns" {
  cluster_name = aws_eks_cluster.this.name
  addon_name   = "coredns"

  # It waits for nodes that it may run on.
  depends_on = [aws_eks_node_group.system]
}
