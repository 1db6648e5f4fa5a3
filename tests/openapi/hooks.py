"""What schemathesis would hardly ever hit upon: a completed upload, and a record that it was copied to."""

import os
from itertools import cycle

import schemathesis

KNOWN = {"tableName": "C_Order", "recordId": "100", "fileName": "empty", "uploadId": os.environ["UPLOAD_ID"]}
READ = {"downloadUpload", "copyUpload", "listAttachments", "downloadAttachment"}
turns = cycle([True, False])


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.definition.raw.get("operationId") in READ and next(turns):
        case.path_parameters = {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
