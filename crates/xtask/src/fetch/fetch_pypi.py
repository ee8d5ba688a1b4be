"""Downloads one file of a PyPI release through pip's own index client.

`pip download` would do for wheels of this machine's Python. Of a source archive it builds the
metadata, that is, runs code of the package and whatever that code downloads, and a wheel for
another Python it does not see. Only the file itself is wanted here. The index, proxies,
certificates and credentials are whatever pip is configured with.
"""

import pathlib
import sys

from pip._internal.commands import create_command
from pip._internal.index.collector import parse_links
from pip._internal.network.utils import HEADERS, response_chunks

package, version, file_name, sha256, folder = sys.argv[1:]

command = create_command("download")
options, _ = command.parse_args([f"{package}=={version}", "--no-cache-dir"])
with command.main_context():
    session = command.get_default_session(options)
    collector = command._build_package_finder(options, session)._link_collector

    def page_links(page):
        response = collector.fetch_response(page, package_name=package)
        return [] if response is None else list(parse_links(response))

    sources = collector.collect_sources(project_name=package, candidates_from_page=page_links)
    links = [
        link
        for group in sources
        for source in group
        if source is not None
        for link in (*source.page_candidates(), *source.file_links())
    ]
    if file_name:
        wanted = [link for link in links if link.filename == file_name]
    else:
        wanted = [link for link in links if link.hash == sha256]
    if not wanted:
        files = sorted({link.filename for link in links if f"-{version}" in link.filename})
        sys.exit(
            f"{package} {version} has no file {file_name or 'with that sha256'}; "
            f"it has {', '.join(files) or 'none'}"
        )
    response = session.get(wanted[0].url_without_fragment, headers=HEADERS, stream=True)
    response.raise_for_status()
    with open(pathlib.Path(folder, wanted[0].filename), "wb") as file:
        for chunk in response_chunks(response):
            file.write(chunk)
