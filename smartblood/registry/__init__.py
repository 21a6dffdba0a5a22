"""Trained models: the only place where their files are read, and only after their digests were checked.

``model_map.json`` is the manifest of a folder of artefacts; ``builders`` says which features the project computes for
each model; ``trees`` evaluates LightGBM's trees, bit for bit as LightGBM does but several times faster; ``scorer``
puts the two behind the core's ``Scorer``.

Nothing is imported here: who only lists what there is needs none of what evaluates it.
"""
