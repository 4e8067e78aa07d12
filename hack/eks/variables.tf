variable "name" {
  description = "Name of the installation: of the cluster, and the start of every other name."
  type        = string
  default     = "simops"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 25 lower-case letters, digits and dashes, start with a letter and not end with a dash."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as eu-central-1."
  }
}

variable "api_access_cidrs" {
  description = "Addresses that may reach the cluster's API server from outside the VPC, as CIDRs. Empty: none, and it is reached from within the VPC alone."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.api_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "api_access_cidrs must be CIDRs, such as [\"203.0.113.7/32\"]."
  }

  validation {
    condition     = !contains(var.api_access_cidrs, "0.0.0.0/0")
    error_message = "api_access_cidrs must not be the whole internet: name the addresses of your office, VPN or CI."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. SimOps needs 1.34 or newer."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.[0-9]+$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 34, false)
    error_message = "kubernetes_version must be 1.34 or newer, such as \"1.35\"."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC. /16 gives each availability zone 4,096 private addresses, one for each Pod."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr must be a CIDR between /16 and /20, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Number of availability zones. EKS needs two; three survive the loss of one and offer more spot capacity."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones must be 2 or 3."
  }
}

variable "nat_per_zone" {
  description = "One NAT gateway in each zone instead of one in all: the loss of a zone then cuts no other off. Each costs by the hour."
  type        = bool
  default     = false
}

variable "ami_type" {
  description = "Kind of the nodes' image: of the architecture of the instance types and of your images."
  type        = string
  default     = "AL2023_x86_64_STANDARD"

  validation {
    condition     = contains(["AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD"], var.ami_type)
    error_message = "ami_type must be AL2023_x86_64_STANDARD or AL2023_ARM_64_STANDARD: the settings of the kubelet are given as Amazon Linux 2023 reads them."
  }
}

variable "system_instance_types" {
  description = "Instance types of the on-demand nodes of operator, gateway and cluster services. All of one architecture, that of the images."
  type        = list(string)
  default     = ["m6i.large"]

  validation {
    condition     = length(var.system_instance_types) > 0
    error_message = "system_instance_types needs at least one type."
  }
}

variable "system_nodes" {
  description = "Number of these nodes."
  type        = number
  default     = 2

  validation {
    condition     = var.system_nodes >= 2 && var.system_nodes <= 20
    error_message = "system_nodes must be 2 to 20: with one, its loss stops operator and gateway until another has started."
  }
}

variable "spot_instance_types" {
  description = "Instance types of the spot nodes of simulations. Many types of one size are interrupted less often; all of one architecture."
  type        = list(string)
  default     = ["c6i.2xlarge", "c6a.2xlarge", "c5.2xlarge", "m6i.2xlarge", "m6a.2xlarge", "m5.2xlarge"]

  validation {
    condition     = length(var.spot_instance_types) > 0 && length(var.spot_instance_types) <= 20
    error_message = "spot_instance_types needs 1 to 20 types."
  }
}

variable "spot_max_nodes" {
  description = "Greatest number of spot nodes. It bounds what simulations can cost in an hour."
  type        = number
  default     = 10

  validation {
    condition     = var.spot_max_nodes >= 1 && var.spot_max_nodes <= 450
    error_message = "spot_max_nodes must be 1 to 450."
  }
}

variable "node_disk_gib" {
  description = "Root disk of each node, in GiB. Outputs of running simulations are on it."
  type        = number
  default     = 100

  validation {
    condition     = var.node_disk_gib >= 30 && var.node_disk_gib <= 16384
    error_message = "node_disk_gib must be 30 to 16384."
  }
}

variable "pod_pids_limit" {
  description = "Processes that one Pod may have."
  type        = number
  default     = 4096

  validation {
    condition     = var.pod_pids_limit >= 128 && var.pod_pids_limit <= 65536
    error_message = "pod_pids_limit must be 128 to 65536."
  }
}

variable "simulation_namespaces" {
  description = "Namespaces of simulations. The chart makes them."
  type        = list(string)
  default     = ["simulations"]

  validation {
    condition = length(var.simulation_namespaces) > 0 && alltrue([
      for name in var.simulation_namespaces : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))
    ])
    error_message = "simulation_namespaces needs at least one name of a namespace: lower-case letters, digits and dashes."
  }
}

variable "simulation_repositories" {
  description = "Names of the simulation images; each gets a repository NAME/simulations/IMAGE in ECR."
  type        = list(string)
  default     = ["sim"]

  validation {
    condition     = alltrue([for name in var.simulation_repositories : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*$", name))])
    error_message = "simulation_repositories must be names of images: lower-case letters and digits, with single dots, dashes or underscores between."
  }
}

variable "bucket_versioning" {
  description = "Keep what was overwritten or deleted in the bucket for old_version_days: the way back after a mistake, and storage that is paid for."
  type        = bool
  default     = true
}

variable "old_version_days" {
  description = "How long such versions are kept, in days."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_days >= 1 && var.old_version_days <= 3650
    error_message = "old_version_days must be 1 to 3650."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the bucket. Empty: S3's own keys."
  type        = string
  default     = ""

  validation {
    condition     = var.kms_key_arn == "" || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, such as arn:aws:kms:eu-central-1:111122223333:key/…, or empty."
  }
}

variable "delete_contents" {
  description = "Let `terraform destroy` delete a bucket that still has results in it, and repositories that still have images."
  type        = bool
  default     = false
}

variable "gateway_host" {
  description = "Host name of the gateway. Empty: no load balancer, and the gateway is reached by `kubectl port-forward`."
  type        = string
  default     = ""

  validation {
    condition     = var.gateway_host == "" || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.gateway_host))
    error_message = "gateway_host must be a host name, such as simops.example.com, or empty."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of gateway_host. There is no gateway without TLS."
  type        = string
  default     = ""

  validation {
    condition     = (var.gateway_host == "") == (var.certificate_arn == "")
    error_message = "gateway_host and certificate_arn go together: tokens must not travel in the clear. Give both or neither."
  }

  validation {
    condition     = var.certificate_arn == "" || can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate, such as arn:aws:acm:eu-central-1:111122223333:certificate/…"
  }
}

variable "gateway_public" {
  description = "Put the gateway's load balancer on the internet. false: it is reached from within the VPC, and by what is connected to it."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "How long the API server's audit and other logs are kept, in days."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653], var.log_days)
    error_message = "log_days must be one of the retentions that CloudWatch has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  }
}

variable "tags" {
  description = "More tags for every resource."
  type        = map(string)
  default     = {}
}
