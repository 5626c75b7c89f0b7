# What main.tf of the folder above does not have: a GM gateway with its certificates, a gateway at an enterprise router, a reset.

variable "certificates" {
  type = map(string)
}

variable "certificate_name" {
  type    = string
  default = "first"
}

resource "huaweicloud_vpn_gateway" "gm" {
  name               = "gm"
  flavor             = "GM"
  vpc_id             = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  connect_subnet     = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  local_subnets      = ["10.0.0.0/24"]
  availability_zones = ["zone-1", "zone-2"]

  certificate {
    name              = var.certificate_name
    content           = var.certificates["certificate"]
    private_key       = var.certificates["private_key"]
    certificate_chain = var.certificates["certificate_chain"]
    enc_certificate   = var.certificates["enc_certificate"]
    enc_private_key   = var.certificates["enc_private_key"]
  }
}

resource "huaweicloud_vpn_gateway" "router" {
  name               = "router"
  attachment_type    = "er"
  network_type       = "private"
  er_id              = "4c9d0d1e-5f2a-4d63-9e0f-7d1b4b9a2c11"
  access_vpc_id      = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  access_subnet_id   = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  availability_zones = ["zone-1", "zone-2"]
}

resource "huaweicloud_vpn_customer_gateway" "device" {
  name     = "device"
  id_type  = "ip"
  id_value = "198.51.100.2"
}

resource "huaweicloud_vpn_connection" "routed" {
  name                = "routed"
  gateway_id          = huaweicloud_vpn_gateway.router.id
  gateway_ip          = huaweicloud_vpn_gateway.router.access_private_ip_1
  customer_gateway_id = huaweicloud_vpn_customer_gateway.device.id
  vpn_type            = "static"
  peer_subnets        = ["192.168.9.0/24"]
  psk                 = "Correct-Horse-7"
}

resource "huaweicloud_vpn_connection_reset" "routed" {
  connection_id = huaweicloud_vpn_connection.routed.id
}

output "certificate" {
  value = huaweicloud_vpn_gateway.gm.certificate[0].status
}
