# Every style of connection, a gateway of each kind, tags, a health check, and the data sources, of the provider huaweicloud.
# The variables are what a test changes.

variable "name" {
  type    = string
  default = "first"
}

variable "local_subnets" {
  type    = list(string)
  default = ["10.7.0.0/24", "10.0.0.0/24"]
}

variable "flavor" {
  type    = string
  default = "Professional1"
}

variable "device" {
  type    = string
  default = "one"
}

variable "psk" {
  type    = string
  default = "Correct-Horse-7"
}

variable "peer_subnets" {
  type    = list(string)
  default = ["192.168.9.0/24", "192.168.1.0/24"]
}

variable "encryption" {
  type    = string
  default = "aes-256"
}

variable "lifetime" {
  type    = number
  default = 7200
}

variable "dh_group" {
  type    = string
  default = "group20"
}

variable "tags" {
  type    = map(string)
  default = { site = "bonn", floor = "2" }
}

data "huaweicloud_vpn_gateway_availability_zones" "zones" {
  flavor          = "professional1"
  attachment_type = "vpc"
}

data "huaweicloud_vpnv51_gateway_availability_zones" "zones" {}

data "huaweicloud_vpn_peer_configuration_supported_devices" "devices" {}

resource "huaweicloud_vpn_gateway" "main" {
  name               = "${var.name}-gateway"
  vpc_id             = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  connect_subnet     = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  local_subnets      = var.local_subnets
  availability_zones = slice(data.huaweicloud_vpn_gateway_availability_zones.zones.names, 0, 2)
  flavor             = var.flavor
  asn                = 4200000000
  tags               = var.tags

  eip1 {
    type           = "5_bgp"
    bandwidth_name = "main-1"
    bandwidth_size = 100
    charge_mode    = "traffic"
  }

  eip2 {
    type           = "5_bgp"
    bandwidth_name = "main-2"
    bandwidth_size = 100
    charge_mode    = "traffic"
  }
}

resource "huaweicloud_vpn_gateway" "standby" {
  name               = "${var.name}-standby"
  vpc_id             = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  connect_subnet     = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  local_subnets      = var.local_subnets
  availability_zones = ["zone-2", "zone-1"]

  master_eip {
    type           = "5_bgp"
    bandwidth_name = "standby-1"
    bandwidth_size = 100
    charge_mode    = "bandwidth"
  }

  slave_eip {
    type           = "5_bgp"
    bandwidth_name = "standby-2"
    bandwidth_size = 100
    charge_mode    = "bandwidth"
  }
}

resource "huaweicloud_vpn_gateway" "private" {
  name               = "${var.name}-private"
  network_type       = "private"
  vpc_id             = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  connect_subnet     = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  local_subnets      = var.local_subnets
  availability_zones = ["zone-1", "zone-2"]
}

resource "huaweicloud_vpn_customer_gateway" "device" {
  for_each = { one = "198.51.100.2", two = "198.51.100.3", bgp = "198.51.100.4", old = "198.51.100.5" }
  name     = "${var.name}-${each.key}"
  id_type  = "ip"
  id_value = each.value
  asn      = 65010
  tags     = var.tags

  lifecycle {
    ignore_changes = [route_mode] # an import does not read it
  }
}

resource "huaweicloud_vpn_customer_gateway" "named" {
  name     = "${var.name}-named"
  id_type  = "fqdn"
  id_value = "branch.example"
}

resource "huaweicloud_vpn_customer_gateway" "by_ip" {
  name       = "${var.name}-by-ip"
  ip         = "198.51.100.6"
  route_mode = "static"
}

resource "huaweicloud_vpn_connection" "static" {
  name                = "${var.name}-static"
  gateway_id          = huaweicloud_vpn_gateway.main.id
  gateway_ip          = huaweicloud_vpn_gateway.main.eip1[0].id
  customer_gateway_id = huaweicloud_vpn_customer_gateway.device[var.device].id
  vpn_type            = "static"
  peer_subnets        = var.peer_subnets
  psk                 = var.psk
  enable_nqa          = true
  tags                = var.tags

  ikepolicy {
    authentication_algorithm = "sha2-512"
    encryption_algorithm     = var.encryption
    ike_version              = "v2"
    lifetime_seconds         = var.lifetime
    local_id_type            = "ip"
    peer_id_type             = "ip"
    dh_group                 = var.dh_group

    dpd {
      timeout  = 20
      interval = 40
      msg      = "seq-hash-notify"
    }
  }

  ipsecpolicy {
    authentication_algorithm = "sha2-512"
    encryption_algorithm     = var.encryption
    pfs                      = var.dh_group
    lifetime_seconds         = var.lifetime
    transform_protocol       = "esp"
    encapsulation_mode       = "tunnel"
  }
}

resource "huaweicloud_vpn_connection" "policy" {
  name                = "${var.name}-policy"
  gateway_id          = huaweicloud_vpn_gateway.main.id
  gateway_ip          = huaweicloud_vpn_gateway.main.master_eip[0].id
  customer_gateway_id = huaweicloud_vpn_customer_gateway.named.id
  vpn_type            = "policy"
  peer_subnets        = ["192.168.19.0/24", "192.168.11.0/24"]
  psk                 = var.psk

  policy_rules {
    rule_index  = 2
    source      = var.local_subnets[0]
    destination = ["192.168.19.0/24", "192.168.11.0/24"]
  }

  policy_rules {
    rule_index  = 1
    source      = var.local_subnets[1]
    destination = ["192.168.19.0/24"]
  }

  ikepolicy {
    local_id_type = "fqdn"
    local_id      = "cloud.example"
    peer_id_type  = "fqdn"
    peer_id       = "branch.example"
  }
}

resource "huaweicloud_vpn_connection" "bgp" {
  name                 = "${var.name}-bgp"
  gateway_id           = huaweicloud_vpn_gateway.main.id
  gateway_ip           = huaweicloud_vpn_gateway.main.eip2[0].id
  customer_gateway_id  = huaweicloud_vpn_customer_gateway.device["bgp"].id
  vpn_type             = "bgp"
  peer_subnets         = ["192.168.49.0/24"]
  tunnel_local_address = "169.254.21.1/30"
  tunnel_peer_address  = "169.254.21.2/30"
  ha_role              = "master"
  psk                  = var.psk
}

# IKEv1, on a gateway of the older names.
resource "huaweicloud_vpn_connection" "old" {
  name                = "${var.name}-old"
  gateway_id          = huaweicloud_vpn_gateway.standby.id
  gateway_ip          = huaweicloud_vpn_gateway.standby.master_eip[0].id
  customer_gateway_id = huaweicloud_vpn_customer_gateway.device["old"].id
  vpn_type            = "static"
  peer_subnets        = ["192.168.29.0/24"]
  psk                 = var.psk

  ikepolicy {
    ike_version             = "v1"
    phase1_negotiation_mode = "main"
  }
}

resource "huaweicloud_vpn_connection" "private" {
  name                = "${var.name}-private"
  gateway_id          = huaweicloud_vpn_gateway.private.id
  gateway_ip          = huaweicloud_vpn_gateway.private.access_private_ip_1
  customer_gateway_id = huaweicloud_vpn_customer_gateway.by_ip.id
  vpn_type            = "static"
  peer_subnets        = ["192.168.39.0/24"]
  psk                 = var.psk
}

resource "huaweicloud_vpn_connection_health_check" "static" {
  connection_id = huaweicloud_vpn_connection.static.id
}

data "huaweicloud_vpn_gateways" "main" {
  gateway_id = huaweicloud_vpn_gateway.main.id
}

data "huaweicloud_vpn_customer_gateways" "one" {
  customer_gateway_id = huaweicloud_vpn_customer_gateway.device["one"].id
}

data "huaweicloud_vpn_connections" "static" {
  gateway_id = huaweicloud_vpn_gateway.main.id
  vpn_type   = "static"
  depends_on = [huaweicloud_vpn_connection.static]
}

data "huaweicloud_vpn_connection_health_checks" "static" {
  connection_id = huaweicloud_vpn_connection.static.id
  depends_on    = [huaweicloud_vpn_connection_health_check.static]
}

data "huaweicloud_vpn_connection_logs" "static" {
  vpn_connection_id = huaweicloud_vpn_connection.static.id
}

data "huaweicloud_vpn_connection_ipsec_sa" "static" {
  vpn_connection_id = huaweicloud_vpn_connection.static.id
}

data "huaweicloud_vpn_connection_peer_configuration_export" "static" {
  vpn_connection_id = huaweicloud_vpn_connection.static.id
  vendor            = data.huaweicloud_vpn_peer_configuration_supported_devices.devices.supported_devices[0].vendor
  type              = data.huaweicloud_vpn_peer_configuration_supported_devices.devices.supported_devices[0].type
  model             = data.huaweicloud_vpn_peer_configuration_supported_devices.devices.supported_devices[0].model
  version           = data.huaweicloud_vpn_peer_configuration_supported_devices.devices.supported_devices[0].version
}

data "huaweicloud_vpn_gateway_route_tables" "main" {
  vgw_id = huaweicloud_vpn_gateway.main.id
}

data "huaweicloud_vpn_gateway_jobs" "main" {
  resource_id = huaweicloud_vpn_gateway.main.id
}

data "huaweicloud_vpn_gateway_certificates" "all" {}

data "huaweicloud_vpn_quotas" "all" {}

data "huaweicloud_vpn_tags" "devices" {
  resource_type = "customer-gateway"
  depends_on    = [huaweicloud_vpn_customer_gateway.device]
}

data "huaweicloud_vpn_resource_instances" "devices" {
  resource_type = "customer-gateway"

  tags {
    key    = "site"
    values = [var.tags["site"]]
  }

  depends_on = [huaweicloud_vpn_customer_gateway.device]
}

output "read" {
  value = {
    zones       = data.huaweicloud_vpn_gateway_availability_zones.zones.names
    zones_v51   = data.huaweicloud_vpnv51_gateway_availability_zones.zones.availability_zones[*].name
    gateways    = data.huaweicloud_vpn_gateways.main.gateways[*].id
    devices     = data.huaweicloud_vpn_customer_gateways.one.customer_gateways[*].id
    connections = data.huaweicloud_vpn_connections.static.connections[*].id
    checks      = data.huaweicloud_vpn_connection_health_checks.static.connection_health_checks[*].id
    log         = length(data.huaweicloud_vpn_connection_logs.static.logs) >= 0
    pairs       = length(data.huaweicloud_vpn_connection_ipsec_sa.static.sa_infos) >= 0
    text        = data.huaweicloud_vpn_connection_peer_configuration_export.static.peer_config
    routes      = length(data.huaweicloud_vpn_gateway_route_tables.main.routing_table) >= 0
    jobs        = data.huaweicloud_vpn_gateway_jobs.main.jobs[*].job_type
    quotas      = data.huaweicloud_vpn_quotas.all.quotas[0].resources[*].type
    tags        = data.huaweicloud_vpn_tags.devices.tags
    tagged      = data.huaweicloud_vpn_resource_instances.devices.resources[*].resource_id
  }
}

output "made" {
  value = {
    gateway    = huaweicloud_vpn_gateway.main.id
    device     = huaweicloud_vpn_customer_gateway.device["one"].id
    connection = huaweicloud_vpn_connection.static.id
    check      = huaweicloud_vpn_connection_health_check.static.id
    devices    = [for one in huaweicloud_vpn_customer_gateway.device : one.id]
  }
}
