# Exact versions: what was looked at is what is applied. `terraform init` writes .terraform.lock.hcl with their checksums; commit it in
# your own copy.
terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }

  # The state names every resource: keep it where more than one person can reach it, encrypted and locked. For a first try a local file
  # does; for production uncomment this and give bucket and key by `-backend-config`.
  # backend "s3" {
  #   use_lockfile = true
  #   encrypt      = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ "simops.dev/installation" = var.name }, var.tags)
  }
}
