# Who may do what in AWS, as documents. No provider is needed, so that what they say is tried without AWS.
terraform {
  required_version = ">= 1.9, < 2.0"
}

locals {
  version = "2012-10-17"
  objects = "${var.bucket_arn}/*"
  issuer  = join("/", slice(split("/", var.oidc_provider), 1, length(split("/", var.oidc_provider))))
  # SSE-KMS: S3 asks for a data key in the caller's name.
  encrypt = var.kms_key_arn == "" ? [] : [
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
  ]
  # Without s3:ListBucket S3 answers 403 for an object that is not there, and nobody could tell the two apart.
  list = { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [var.bucket_arn] }

  # A round's file is named by its number; what Pods leave lies deeper, and its shortest name is longer than these.
  books = concat(
    ["record.json", "ledger.json", "state.json", "cancelled.json", "points/*", "table/*"],
    [for digits in range(1, 7) : "rounds/${join("", [for digit in range(digits) : "?"])}.json"],
  )

  # The bundle container beside a simulation: it writes results and reads the points of a sweep, of its own namespace. It deletes nothing,
  # and lists nothing: it takes the 403 that S3 then answers for what is not there as that.
  simulations = { for namespace in var.namespaces : "simulation_${namespace}" => concat([
    {
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
      Resource = ["${var.bucket_arn}/jobs/${namespace}/*", "${var.bucket_arn}/sweeps/${namespace}/*"]
    },
    # What the operator alone writes: what it tells of runs, and what it goes by.
    {
      Effect = "Deny"
      Action = ["s3:PutObject"]
      Resource = concat(
        ["${var.bucket_arn}/jobs/${namespace}/*/record.json", "${var.bucket_arn}/jobs/${namespace}/*.log"],
        [for name in local.books : "${var.bucket_arn}/sweeps/${namespace}/*/${name}"],
      )
    },
  ], local.encrypt) }

  statements = merge(local.simulations, {
    # Logs, records, tables; and the end of what has expired.
    operator = concat([
      local.list,
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = [local.objects]
      },
    ], local.encrypt)

    # It reads, and signs URLs by which its callers read. It writes lists of points that people upload, and nothing else.
    gateway = concat([
      local.list,
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = [local.objects] },
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = ["${var.bucket_arn}/uploads/*"]
      },
    ], local.encrypt)

    load_balancer = local.load_balancer

    autoscaler = [
      {
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups",
          "autoscaling:DescribeAutoScalingInstances",
          "autoscaling:DescribeLaunchConfigurations",
          "autoscaling:DescribeScalingActivities",
          "autoscaling:DescribeTags",
          "ec2:DescribeImages",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeLaunchTemplateVersions",
          "ec2:GetInstanceTypesFromInstanceRequirements",
          "eks:DescribeNodegroup",
        ]
        Resource = ["*"]
      },
      {
        Effect   = "Allow"
        Action   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource = ["*"]
        # EKS puts this tag on the groups behind its node groups.
        Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster}" = "owned" } }
      },
    ]
  })
}

output "allowed" {
  description = "Policy of each role."
  value       = { for name, statements in local.statements : name => jsonencode({ Version = local.version, Statement = statements }) }
}

output "assumed_by" {
  description = "Trust policy of the role of each service account: it alone, with a token that is meant for STS."
  value = {
    for name, accounts in var.service_accounts : name => jsonencode({
      Version = local.version
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = var.oidc_provider }
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = [for account in accounts : "system:serviceaccount:${account}"]
          }
        }
      }]
    })
  }
}

output "assumed_by_eks" {
  description = "Trust policy of the control plane's role."
  value = jsonencode({
    Version   = local.version
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

output "assumed_by_ec2" {
  description = "Trust policy of the nodes' role."
  value = jsonencode({
    Version   = local.version
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

output "bucket" {
  description = "Policy of the bucket: nothing without TLS 1.2."
  value = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [var.bucket_arn, local.objects]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "NoOldTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [var.bucket_arn, local.objects]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  })
}
