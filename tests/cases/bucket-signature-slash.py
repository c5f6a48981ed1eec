# Which signature of a lone bucket is taken? The manual and botocore sign "/bucket/" for a URL without it.
import base64
import hashlib
import hmac
import http.client
import sys
from email.utils import formatdate

for scheme in ("OBS", "AWS"):
    for url, res in (
        ("/mig-bucket", "/mig-bucket"),
        ("/mig-bucket", "/mig-bucket/"),
        ("/mig-bucket/", "/mig-bucket/"),
        ("/mig-bucket/", "/mig-bucket"),
        ("/mig-bucket?location", "/mig-bucket/?location"),
        ("/mig-bucket?location", "/mig-bucket?location"),
    ):
        d = formatdate(usegmt=True)
        s = base64.b64encode(
            hmac.new(
                b"simulator-secret-key-not-a-real-one-000", f"GET\n\n\n{d}\n{res}".encode(), hashlib.sha1
            ).digest()
        ).decode()
        c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        c.request("GET", url, headers={"Date": d, "Authorization": f"{scheme} SIMULATORACCESSKEY00:{s}"})
        r = c.getresponse()
        print(scheme, "url", url, "signed", res, "->", r.status, r.read()[55:130] if r.status != 200 else "")
