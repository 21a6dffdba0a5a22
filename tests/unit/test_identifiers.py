import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import NAMESPACE, derived_event_id


@given(st.text(max_size=20), st.text(max_size=40))
def test_derived_ids_are_uuids_of_version_5(topic, answered):
    assert derived_event_id(topic, answered) == str(uuid.uuid5(NAMESPACE, f"{topic}:{answered}"))
