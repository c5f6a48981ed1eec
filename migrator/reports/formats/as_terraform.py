"""The ids as Terraform configuration: an `import` block for each image, and the resource that it becomes.

- An import block alone needs a resource beside it. Those that `terraform plan -generate-config-out` makes
  leave out what the service does not tell (`image_url`), and are refused; so the resource is written here,
  with what its type requires.
- Everything of a resource is ignored after its import (`ignore_changes = all`), and it may not be destroyed:
  most of its arguments cannot be changed in place, and Terraform would replace an image that is in use.
- The name of a resource is made of the key alone. It stays what it is, whatever else is imported later.
- Whatever others chose is a quoted string in which nothing is interpolated, or a comment of one line.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import groupby
from typing import BinaryIO

from migrator.domain.image import ImageType
from migrator.domain.plan import Plan
from migrator.reports.ids import ImageId, about, image_ids
from migrator.reports.summary import Summary
from migrator.reports.untrusted import one_line

HUAWEI, OTC = "huaweicloud", "opentelekomcloud"
_SOURCES = {HUAWEI: "huaweicloud/huaweicloud", OTC: "opentelekomcloud/opentelekomcloud"}
"""By local name, where each provider is found."""


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the configuration to `stream`."""
    stream.write("".join(f"{line}\n" for line in _lines(summary)).encode("utf-8", "replace"))


def _lines(summary: Summary) -> Iterator[str]:
    plan, found = summary.plan, image_ids(summary)
    yield f"# {about(summary, len(found))}"
    yield "#"
    yield "# Put this file into a Terraform configuration (Terraform 1.5 or newer) that has these providers:"
    yield "#"
    yield from _providers(plan, found)
    yield "#"
    yield "# `terraform plan` then imports every image below, and adds, changes and destroys none of them."
    for target, images in groupby(found, key=lambda one: one.target):
        yield ""
        yield _comment(f"--- {_place(plan, target)}")
        for one in images:
            yield from _blocks(plan, one)


def _providers(plan: Plan, found: list[ImageId]) -> Iterator[str]:
    """What the configuration needs besides, as a comment: a module may say it only once."""
    targets = list(dict.fromkeys(one.target for one in found))
    yield "#   terraform {"
    yield "#     required_providers {"
    for provider in dict.fromkeys(provider_of(plan, target) for target in targets):
        yield f"#       {provider} = {{ source = {quoted(_SOURCES[provider])} }}"
    yield "#     }"
    yield "#   }"
    for target in targets:
        yield f"#   provider {quoted(provider_of(plan, target))} {{"
        arguments = {"alias": identifier(target)}
        if (there := plan.targets.get(target)) is None:
            pass
        elif provider_of(plan, target) == OTC:
            arguments["tenant_name"] = there.project_name or there.region
        else:
            arguments["region"] = there.region
        yield from (f"#   {line}" for line in _arguments({k: quoted(v) for k, v in arguments.items()}))
        yield "#   }"


def _place(plan: Plan, target: str) -> str:
    there = plan.targets.get(target)
    if there is None:
        return f"Target {target}, which is no longer in the plan"
    project = f", project {there.project_id}" if there.project_id else ""
    return f"Target {target}: region {there.region}{project}"


def _blocks(plan: Plan, one: ImageId) -> Iterator[str]:
    kind, own = _resource(plan, one)
    name = resource_name(one)
    image = one.row.image
    yield ""
    yield _comment(f"{one.target}/{one.name}" + (f", a copy of {one.row.key}" if one.is_copy else ""))
    yield "import {"
    yield f"  to = {kind}.{name}"
    yield f"  id = {quoted(one.image_id)}"
    yield "}"
    yield ""
    yield f"resource {quoted(kind)} {quoted(name)} {{"
    yield from _arguments(
        {
            "provider": f"{provider_of(plan, one.target)}.{identifier(one.target)}",
            "name": quoted(one.name),
            "image_url": quoted(image.image_url),
            "min_disk": str(image.min_disk),
            **{key: quoted(value) for key, value in own.items()},
        }
    )
    yield ""
    yield "  lifecycle {"
    yield "    ignore_changes  = all"
    yield "    prevent_destroy = true"
    yield "  }"
    yield "}"


def _arguments(arguments: Mapping[str, str]) -> Iterator[str]:
    """Arguments of a block, as `terraform fmt` aligns them."""
    width = max(map(len, arguments))
    return (f"  {key:<{width}} = {value}" for key, value in arguments.items())


def provider_of(plan: Plan, target: str) -> str:
    """The local name of the provider that knows the images of a target."""
    there = plan.targets.get(target)
    return OTC if there is not None and there.cloud == "otc" else HUAWEI


def _resource(plan: Plan, one: ImageId) -> tuple[str, dict[str, str]]:
    """The type of the resource that an image is, and what that type requires beside name, file and size.

    Huawei Cloud has one for each way in and kind of disk (its `huaweicloud_images_image` is deprecated); Open
    Telekom Cloud one for each kind of disk.
    """
    data = one.row.type is ImageType.DATA
    if provider_of(plan, one.target) == OTC:
        return ("opentelekomcloud_ims_data_image_v2" if data else "opentelekomcloud_ims_image_v2"), {}
    if one.row.method != "quick":
        return ("huaweicloud_ims_obs_data_image" if data else "huaweicloud_ims_obs_system_image"), {}
    if data:
        return "huaweicloud_ims_quickimport_data_image", {"type": ImageType.DATA.value}
    return "huaweicloud_ims_quickimport_system_image", {"os_version": one.row.os}


# --- Names and texts ------------------------------------------------------------------------------------


_PLAIN = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")
_ODD = re.compile(r"[^A-Za-z0-9-]+")


def resource_name(one: ImageId) -> str:
    """The name of an image's resource: unique in any plan, and made of its key alone."""
    return identifier(
        *((one.target, "copy-of", one.row.target, one.name) if one.is_copy else (one.target, one.name))
    )


def identifier(*parts: str) -> str:
    """A Terraform identifier made of `parts`, another one for any others.

    Parts that fit are joined by two underscores, which none of them has. Of others only what fits is kept,
    and a digest of them all tells them apart.
    """
    if all(map(_PLAIN.fullmatch, parts)):
        joined = "__".join(parts)
    else:
        digest = sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        joined = "__".join([*(_ODD.sub("_", part).strip("_")[:64] or "x" for part in parts), digest])
    return joined if joined[0].isalpha() else f"_{joined}"


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r'["\\]|[$%](?=\{)|[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')


def quoted(text: str) -> str:
    """The text as a quoted string of HCL that stands for itself: nothing in it is a template."""
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    if sign in "$%":
        return sign * 2
    if "\ud800" <= sign <= "\udfff":
        return "\ufffd"  # half a character, which no UTF-8 can carry
    return _ESCAPES.get(sign) or f"\\u{ord(sign):04x}"


def _comment(text: str) -> str:
    return f"# {one_line(text)}"
