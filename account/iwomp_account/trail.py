"""Whether CloudTrail records what is done in the account: without, the alarm `register-changed` never rings."""

from __future__ import annotations

from typing import Any

from iwomp_account.findings import Finding, Grade
from iwomp_account.place import Place

DO = (
    "make a trail for management events in every region (CloudTrail, Create trail; the first copy is free of charge "
    "but for its S3), or accept that nobody is told when the register is changed by hand"
)


def look(place: Place) -> list[Finding]:
    cloudtrail = place.client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        arn = trail["TrailARN"]
        if cloudtrail.get_trail_status(Name=arn)["IsLogging"] and takes_writes(
            cloudtrail.get_event_selectors(TrailName=arn)
        ):
            return [Finding("trail", Grade.GOOD, f"{trail['Name']} records management events")]
    return [Finding("trail", Grade.WARNING, "no trail records management events here", DO)]


def takes_writes(selectors: dict[str, Any]) -> bool:
    """Whether management events that change something are recorded."""
    plain = any(
        selector.get("IncludeManagementEvents") and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")
        for selector in selectors.get("EventSelectors") or []
    )
    return plain or any(
        is_management(selector["FieldSelectors"]) for selector in selectors.get("AdvancedEventSelectors") or []
    )


def is_management(fields: list[dict[str, Any]]) -> bool:
    wanted = {field["Field"]: field.get("Equals") for field in fields}
    return wanted.get("eventCategory") == ["Management"] and wanted.get("readOnly", ["false"]) != ["true"]
