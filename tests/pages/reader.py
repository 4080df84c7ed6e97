"""A page as its reader sees it."""

from html.parser import HTMLParser


class ReadPage(HTMLParser):
    """A page's text and elements; every element must be closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    @property
    def pictures(self):
        return [attributes for tag, attributes in self.attributes if tag == "img"]

    @property
    def headings(self):
        return [tag for tag in self.tags if tag in ("h1", "h2", "h3")]
