"""The views of a report: terminal, ``report.json``, ``report.html``. They print findings and compute none."""
