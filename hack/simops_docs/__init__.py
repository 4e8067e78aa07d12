"""What the docs site has beside the pages of docs/: references generated from the code, and files of the checkout that pages link to.

`client`, `rest` and `settings` write pages (pure), `links` finds what a link of a page means (pure), `hooks` gives all of it to MkDocs, `cli` builds the site.
"""
