"""Machine-readable descriptions of a release: Croissant, schema.org, DCAT-AP, CITATION.cff and DataCite.

Belongs here: pure functions from a manifest and its contracts to these documents, who publishes, how a release is
cited, and the rules of Google's dataset search as a judge. Does not belong here: the Data Package and the texts
for people (`package`), and writing files (`build`).

Licences differ between datasets, so every document says them dataset by dataset. A sample says in every document
that it is fictional and credits nobody. Without a base address all links are relative to the release folder.
"""
