SHELL := bash
.DELETE_ON_ERROR:
.PHONY: demo demo-hosts test test-fast lab lab-test check lint format bench matrix setup clean

# Node 24 runs everything. Where the system's own is older, the one that tools/node pins is installed and used.
NODE_NEW := $(shell node -p 'const [a,b]=process.versions.node.split(".").map(Number);a>24||(a===24&&b>=12)?1:0' 2>/dev/null)
ifneq ($(NODE_NEW),1)
NODE_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x64,$(shell uname -m)))
NODE_DIR := tools/node/node_modules/node-linux-$(NODE_ARCH)
NODE_BIN := $(NODE_DIR)/bin/node
export PATH := $(CURDIR)/$(NODE_DIR)/bin:$(PATH)
endif
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
DEPS := node_modules/.package-lock.json
PM2 := tools/pm2/node_modules/.package-lock.json
SYSTEM := .cache/system-packages
LAB := .cache/lab-packages
# Other tools to be measured; where nobody may install them, they are left out.
BENCH := $(if $(filter 0,$(shell id -u)),.cache/bench-packages)

demo: $(SYSTEM) $(DEPS) $(PM2)
	@node demo/main.ts

# The same fleet on three hosts with real systemd, on Linux as root; where they cannot be, it says what is missing.
demo-hosts: $(SYSTEM) $(LAB) $(DEPS)
	@node demo/hosts/main.ts

# The fast tests, and then the slow ones, which start real hosts' worth of processes and kill them.
test: $(SYSTEM) $(LAB) $(DEPS) $(PM2)
	@node test/run.ts

test-fast: $(DEPS) $(PM2)
	@npm run --silent test:fast

check: $(DEPS)
	npm run --silent format:check
	npm run --silent lint
	npm run --silent check

lint: $(DEPS)
	npm run --silent lint

format: $(DEPS)
	npm run --silent format

# On one machine, and where the lab can be, on hosts: beside deploy.sh, Capistrano and Ansible.
bench: $(SYSTEM) $(LAB) $(DEPS) $(PM2) $(BENCH)
	@node bench/main.ts && node bench/planning.ts && node bench/spawning.ts && node bench/relay.ts && node bench/hosts.ts

# Disposable hosts with real systemd, on Linux as root: make lab ARGS="up 3". See docs/lab.md.
lab: $(SYSTEM) $(LAB) $(NODE_BIN)
	@node lab/main.ts $(ARGS)

lab-test: $(SYSTEM) $(LAB) $(DEPS) $(PM2)
	@node test/run.ts lab

# Every fault at every step of a release: make matrix ARGS="--hosts 1 --fault kill --sample 5".
matrix: $(SYSTEM) $(LAB) $(DEPS)
	@node test/story/matrix/main.ts $(if $(ARGS),$(ARGS),--write docs/crash-matrix.md)

setup: $(SYSTEM) $(DEPS) $(PM2)

# A lab that is up has its disks mounted in .cache.
clean:
	@[ ! -d .cache/lab/run ] || node lab/main.ts down
	rm -rf .cache node_modules tools/node/node_modules tools/pm2/node_modules

$(SYSTEM): tools/system-packages
	@mkdir -p .cache
	@tools/system-packages
	@touch $@

# No stamp where no lab can be: it is asked, and said, again.
$(LAB): tools/lab-packages
	@mkdir -p .cache
	@tools/lab-packages $@

.cache/bench-packages: tools/bench-packages $(SYSTEM)
	@tools/bench-packages
	@touch $@

tools/node/node_modules/node-%/bin/node: $(SYSTEM) tools/node/package-lock.json
	cd tools/node && $(NPM_CI)
	@test -x $@ && touch $@

$(DEPS): package-lock.json $(NODE_BIN)
	$(NPM_CI)
	@touch $@

$(PM2): tools/pm2/package-lock.json $(NODE_BIN)
	cd tools/pm2 && $(NPM_CI)
	@touch $@
