"""What a description cannot say, and what schemathesis would hardly ever hit upon."""

import json
import os
from itertools import cycle

import schemathesis

# A completed upload, and a record that it was copied to.
KNOWN = {"tableName": "C_Order", "recordId": "100", "fileName": "empty", "uploadId": os.environ["UPLOAD_ID"]}
READ = {"downloadUpload", "copyUpload", "listAttachments", "downloadAttachment"}
turns = cycle([True, False])


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.definition.raw.get("operationId") in READ and next(turns):
        case.path_parameters = {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
    if isinstance(case.body, (dict, list)):
        case.body = sent(case.body)


def sent(value):
    """Whole numbers without a fraction: to JSON Schema 1.0 is an integer, to no platform. Shapes as they should be."""
    if isinstance(value, dict):
        return shaped({name: sent(member) for name, member in value.items()})
    if isinstance(value, list):
        return [sent(element) for element in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def shaped(value):
    """Closes the rings of polygons. Those made up cross themselves, and nothing is within such a shape.

    A place is limited to 32 KiB of JSON, which no schema can say.
    """
    if len(json.dumps(value.get("geoLocation"))) > 16 << 10:
        del value["geoLocation"]
    rings = value.get("coordinates")
    if value.get("type") == "Polygon":
        close(rings)
    elif value.get("type") == "MultiPolygon" and isinstance(rings, list):
        for polygon in rings:
            close(polygon)
    if str(value.get("relation")).lower() == "within" and "shape" in value:
        value["relation"] = "intersects"
    return value


def close(rings):
    for ring in rings if isinstance(rings, list) else []:
        if isinstance(ring, list) and ring:
            ring[-1] = ring[0]
