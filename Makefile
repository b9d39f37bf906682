# Short names for the scripts. A machine without make runs the scripts themselves.
.PHONY: demo run build test coverage lint bench bench-peers detect fuzz exe exe-windows chaos chaos-long sim soak history clean

demo run test coverage bench bench-peers detect fuzz exe exe-windows chaos sim soak:
	@bash scripts/$@.sh $(ARGS)

chaos-long:
	@bash scripts/chaos.sh --long $(ARGS)

build:
	@bash -c 'source scripts/setup.sh && setup dev'

lint: build
	.venv/bin/ruff check .
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/cython-lint cext

history: build
	P9_KILLS=100 .venv/bin/python -m pytest -o timeout=3600 tests/market/test_harvest.py tests/market/test_fusion.py -k kills $(ARGS)

clean:
	rm -rf build dist htmlcov .pytest_cache .hypothesis
	find cext \( -name '*.so' -o -name '*.pyd' -o -name '*.c' -o -name '*.html' \) -delete
