# What the AWS Load Balancer Controller does for an Ingress: it finds subnets and certificates, makes load balancers, target groups and
# security groups with the cluster's tag, and changes and deletes only what has this tag. No WAF, no Shield, no Cognito: the values here use none.
locals {
  tag = "elbv2.k8s.aws/cluster"
  elb = "arn:${var.partition}:elasticloadbalancing:${var.region}:${var.account}"
  ec2 = "arn:${var.partition}:ec2:${var.region}:${var.account}"

  ours    = { StringEquals = { "aws:ResourceTag/${local.tag}" = var.cluster } }
  made_so = { StringEquals = { "aws:RequestTag/${local.tag}" = var.cluster } }

  load_balancer = [
    {
      Effect = "Allow"
      Action = [
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcs",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "acm:DescribeCertificate",
        "acm:ListCertificates",
      ]
      Resource = ["*"]
    },
    {
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    # Security groups: new ones carry the tag from the first moment.
    {
      Effect   = "Allow"
      Action   = ["ec2:CreateSecurityGroup"]
      Resource = [var.vpc_arn]
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:CreateSecurityGroup"]
      Resource  = ["${local.ec2}:security-group/*"]
      Condition = local.made_so
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${local.ec2}:security-group/*"]
      Condition = { StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup", "aws:RequestTag/${local.tag}" = var.cluster } }
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:DeleteSecurityGroup", "ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = ["${local.ec2}:security-group/*"]
      Condition = local.ours
    },
    # The rule that lets the load balancer in is in the nodes' group, which is EKS' own.
    {
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["${local.ec2}:security-group/*"]
      Condition = { ArnEquals = { "ec2:Vpc" = var.vpc_arn } }
    },
    # Load balancers and target groups.
    {
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = ["*"]
      Condition = local.made_so
    },
    {
      Effect = "Allow"
      Action = ["elasticloadbalancing:AddTags"]
      Resource = [
        "${local.elb}:targetgroup/*/*",
        "${local.elb}:loadbalancer/app/*/*",
      ]
      Condition = {
        StringEquals = {
          "elasticloadbalancing:CreateAction" = ["CreateTargetGroup", "CreateLoadBalancer"]
          "aws:RequestTag/${local.tag}"       = var.cluster
        }
      }
    },
    {
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource = [
        "${local.elb}:targetgroup/*/*",
        "${local.elb}:loadbalancer/app/*/*",
      ]
      Condition = local.ours
    },
    # Listeners and their rules.
    {
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddListenerCertificates",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetRulePriorities",
      ]
      Resource = [
        "${local.elb}:listener/app/*/*/*",
        "${local.elb}:listener-rule/app/*/*/*/*",
      ]
    },
  ]
}
