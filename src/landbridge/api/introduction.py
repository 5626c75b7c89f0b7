"""The first chapter of the pages at /docs, and the order of the others."""

TEXT = """
The API is the Huawei Cloud VPN v5 API, so its SDKs and Terraform providers
work here. What is ours alone stands under `/landbridge/v1`.

## Keys

The first start of `landbridge serve` makes a project and an admin key. It writes the endpoint, the project id, the access key, the
secret key and the token into `credentials.toml` in the data folder. More keys:

```
landbridge keys create --data DIR --project PROJECT --role reader
```

`PROJECT` is a project's id or its name; the first one is called `default`.

Every request proves who sends it, in one of two ways:

* **Token**: the header `X-Auth-Token` has the key's token. The button *Authorize* takes it, and then *Try it out* works.
* **Signature**: the header `Authorization` has a signature by access key and secret key, `SDK-HMAC-SHA256`. The SDKs and the Terraform
  providers sign by themselves. A signed request has the header `X-Sdk-Date`, at most 15 minutes old.

Use TLS where the network is not yours: whoever reads a token can use it.

## The first tunnel

```
. <(tr -d ' ' < DIR/credentials.toml)
P=$endpoint/v5/$project_id; H="X-Auth-Token: $token"
```

1. `POST $P/vpn-gateways` makes the gateway, our end. `GET` it until its `status` is `ACTIVE`.
2. `POST $P/customer-gateways` says who the other end is: an address, or a name.
3. `POST $P/vpn-connection` makes the tunnel between an endpoint of the gateway (`vgw_ip` is the id of its `eip1` or `eip2`) and the
   customer gateway. `POST $endpoint/landbridge/v1/$project_id/vpn-connections/check` accepts the same body and stores nothing: the
   answer has the connection that the create would make, all violations and warnings, and the settings for the device.
4. `POST $P/vpn-connection/{id}/peer-configuration/export` gives the text for the other side's device.
5. `GET` the connection until its `status` is `ACTIVE`. When it is `DOWN` or `ERROR`,
   `GET $endpoint/landbridge/v1/$project_id/vpn-connections/{id}/diagnosis` says why, what to change, and the line of evidence.
   `GET $endpoint/landbridge/v1/$project_id/vpn-connections?status=DOWN` lists all that is down, with its cause.
6. `PUT $P/vpn-connection/{id}` changes it. `POST $endpoint/landbridge/v1/$project_id/vpn-connections/{id}/check` accepts the same body and stores
   nothing: the answer has each field that would change, and what the change does to the tunnel. VPN gateways and customer gateways have a check too.

Delete in the other order. A resource that another one needs is not deleted, and the answer names who needs it.

## Waiting

A create and an update answer as soon as the request is on disk; the tunnel follows. `status` says how far it is: `PENDING_CREATE`,
`PENDING_UPDATE` and `PENDING_DELETE` pass by themselves. Ask once a second. A deleted resource is gone when its `GET` answers 404.

## Lists

A list with `page_info` has at most `limit` entries. Send its `next_marker` as `marker` for the next page; the last page has none.
A marker works in the list that gave it, with the same filters. A list whose `marker` is a time goes on after the `created_at` of its
last entry.

## Errors

Every error has this body, and the header `X-Request-Id`, which is also in the service's log:

```
{"error_code": "VPN.0001", "error_msg": "…", "request_id": "…", "details": [{"field": "peer_subnets[1]", "message": "…"}]}
```

A 400 lists in `details` everything that is wrong, each with its field and what is wanted. The service ignores fields and query
parameters that an operation does not know; the header `Landbridge-Ignored-Fields` names them. The header `Landbridge-Warnings` names
what is carried out and should not have been asked, such as a weak cipher.

| status | what to do |
|---|---|
| 400 | change the request |
| 401, 403 | look at the key, its role and its project |
| 404 | it is not there, or not in this project |
| 412 | somebody else was quicker: read again, then change |
| 425 | it is being deleted: wait for 404 |
| 503 | nothing was stored, or the key has too many requests at once: wait as long as `Retry-After` says, then send the same again |

## Retries

Send `X-Client-Token` (or `Idempotency-Key`), a text of your own, with a create. The same token with the same body within 24 hours
gives the first answer again, so a create may be repeated when its answer was lost. `GET`, `PUT` and `DELETE` may be repeated as they
are.

`ETag` is the version of what a `GET` shows. Send it as `If-Match` with a change, and the change is refused with 412 when somebody else
was quicker. `status` does not count: it changes by itself.
"""

#: The chapters in the order in which a reader needs them.
CHAPTERS = {
    "vpn-gateways": "Our end: endpoints, local subnets, upgrades, routes",
    "customer-gateways": "The other end: its address or name",
    "vpn-connection": "The tunnels",
    "vpn-connections": "Several tunnels at once",
    "Landbridge": "Extensions of ours: diagnoses, timelines, traffic, probes, checks, the audit trail, printed configurations, the simulated engine",
    "peer-configuration": "The devices that texts are written for",
    "connection-monitors": "Health checks of connections",
    "vpn-gateway-certificates": "Certificates of GM gateways",
    "tags": "Tags of gateways, customer gateways and connections",
    "vpn": "Quotas",
    "Service": "What anybody may read",
}
