# Two groups of nodes. The taint is on the small one that must not fill up: what has no toleration for it, so every simulation, runs on
# spot nodes, and no simulation needs to know of that.
resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = module.policies.assumed_by_ec2
}

# No CNI policy: the plugin has a role of its own, which Pods of the node do not have.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

locals {
  node_groups = {
    system = { description = "operator, gateway and cluster services" }
    spot   = { description = "simulations" }
  }
  # Read by nodeadm of Amazon Linux 2023, which merges it with what EKS adds.
  node_config = yamlencode({
    apiVersion = "node.eks.aws/v1alpha1"
    kind       = "NodeConfig"
    spec = {
      kubelet = {
        config = {
          podPidsLimit = var.pod_pids_limit
          # A log that is rotated before the operator has stored it loses its start.
          containerLogMaxSize = "1Gi"
        }
      }
    }
  })
  user_data = join("\n", [
    "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=\"//\"",
    "",
    "--//",
    "Content-Type: application/node.eks.aws",
    "",
    local.node_config,
    "--//--",
    "",
  ])
}

resource "aws_launch_template" "node" {
  for_each = local.node_groups

  name_prefix            = "${var.name}-${each.key}-"
  description            = "Nodes of ${each.value.description}"
  update_default_version = true
  user_data              = base64encode(local.user_data)

  # One hop: the answer does not reach a Pod, which has the node's role not even by a policy that is missing.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = var.node_disk_gib
      volume_type           = "gp3"
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge({ Name = "${var.name}-${each.key}" }, var.tags)
  }
}

resource "aws_eks_node_group" "system" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "system"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  ami_type        = var.ami_type
  capacity_type   = "ON_DEMAND"
  instance_types  = var.system_instance_types
  labels          = { "simops.dev/nodes" = "system" }

  launch_template {
    id      = aws_launch_template.node["system"].id
    version = aws_launch_template.node["system"].latest_version
  }

  # The one that CoreDNS and most cluster services tolerate as they are.
  taint {
    key    = "CriticalAddonsOnly"
    value  = "true"
    effect = "NO_SCHEDULE"
  }

  scaling_config {
    min_size     = var.system_nodes
    desired_size = var.system_nodes
    max_size     = var.system_nodes + 1
  }

  update_config {
    max_unavailable = 1
  }

  depends_on = [
    aws_iam_role_policy_attachment.node,
    aws_eks_addon.vpc_cni,
    aws_eks_addon.kube_proxy,
  ]
}

resource "aws_eks_node_group" "spot" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "spot"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  ami_type        = var.ami_type
  capacity_type   = "SPOT"
  instance_types  = var.spot_instance_types
  labels          = { "simops.dev/nodes" = "spot" }

  launch_template {
    id      = aws_launch_template.node["spot"].id
    version = aws_launch_template.node["spot"].latest_version
  }

  # The autoscaler starts nodes when Pods wait, and removes them when they are empty.
  scaling_config {
    min_size     = 0
    desired_size = 0
    max_size     = var.spot_max_nodes
  }

  update_config {
    max_unavailable_percentage = 33
  }

  lifecycle {
    # It belongs to the autoscaler once the group exists.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [
    aws_iam_role_policy_attachment.node,
    aws_eks_addon.vpc_cni,
    aws_eks_addon.kube_proxy,
  ]
}
