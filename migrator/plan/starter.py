"""The plan that `migrator init` writes."""

from migrator.ims.methods import AUTO_NOTE, METHOD

STARTER = f"""\
# A migration plan for `migrator`. Change what is in here to what you have, then
#
#     migrator validate PLAN     checks this file, offline
#     migrator preflight PLAN    asks the cloud whether it can be done; changes nothing
#     migrator run PLAN          imports, or continues where it stopped
#
# Every other key, and what it does, is in the output of `migrator schema`.

[plan]
name = "my-plan"                  # names the folder of the reports; keep it once you have begun
description = ""
owner = ""                        # who to ask

[targets.north]                   # where the images go; one is enough
region = "cn-north-4"
credentials = "env"               # keys come from HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, never from here

[defaults]                        # what holds for every image that does not say otherwise
method = "auto"                   # {AUTO_NOTE}
bucket = "my-bucket"              # the OBS bucket with the uploaded files, in the same region
os_version = "CentOS 7.6 64bit"
min_disk = 40                     # GB; larger than the disk in the file

# One table for each disk image.

[[images]]
name = "web-01"                   # the image's name in the cloud
object = "{METHOD.example("images/web-01")}"
labels = {{ owner = "li.wei", app = "Shop" }}   # for reports and for choosing images; never sent

[[images]]
name = "web-01-data"
type = "DataImage"                # a data disk: it has os_type instead of os_version
os_type = "Linux"
object = "{METHOD.example("images/web-01-data")}"
min_disk = 500
"""
"""Valid as it is, so that `migrator validate` says yes before anything was changed."""
