# 50 connections from one gateway, each to a device of its own.

resource "huaweicloud_vpn_gateway" "main" {
  name               = "main"
  vpc_id             = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
  connect_subnet     = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
  local_subnets      = ["10.0.0.0/24"]
  availability_zones = ["zone-1", "zone-2"]

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

resource "huaweicloud_vpn_customer_gateway" "branch" {
  count    = 50
  name     = "branch-${count.index}"
  id_type  = "ip"
  id_value = "198.51.100.${count.index + 1}"
}

resource "huaweicloud_vpn_connection" "branch" {
  count               = 50
  name                = "branch-${count.index}"
  gateway_id          = huaweicloud_vpn_gateway.main.id
  gateway_ip          = huaweicloud_vpn_gateway.main.eip1[0].id
  customer_gateway_id = huaweicloud_vpn_customer_gateway.branch[count.index].id
  vpn_type            = "static"
  peer_subnets        = ["192.168.${count.index}.0/24"]
  psk                 = "Correct-Horse-7"
}
