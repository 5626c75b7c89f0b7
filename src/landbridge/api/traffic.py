"""The operation on the traffic of a connection: what it carried over the last hour, day or month."""

from landbridge.api import routes
from landbridge.model.samples import SeriesRequest
from landbridge.operations import traffic_series
from landbridge.wire import body
from landbridge.wire import traffic as wire


def _parse(incoming: routes.Incoming) -> body.Parsed[SeriesRequest]:
    request = SeriesRequest(connection_id=incoming.path["vpn_connection_id"], last=incoming.query["last"] or "hour")
    return body.Parsed(request)


ROUTES = (
    routes.Route(
        operation=traffic_series.show,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/traffic",
        summary="Throughput, loss and round-trip times of a connection over the last hour, day or month (an extension of ours)",
        success=200,
        parse=_parse,
        render=lambda series: {
            "traffic": wire.traffic(
                series.ring,
                series.since,
                series.until,
                [wire.sample(point.at, point.sample, point.bits_in, point.bits_out) for point in series.points],
            )
        },
        answer=wire.Traffic,
        query=wire.QUERY,
    ),
)
