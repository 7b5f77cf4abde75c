"""Where releases go: folders, object stores, data portals; and in which order each is brought up to date."""
