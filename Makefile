# `make` lists the targets. Everything sets itself up: uv if it is missing, the environment .venv, the zips.
.DEFAULT_GOAL := help
.PHONY: help demo test test-offline test-unit test-terraform test-hcl test-plans test-integration test-examples test-compatibility record-release \
	scan audit check-provider check-permissions chaos bench bench-reconciler lint format docs site site-serve picture package \
	publish local-up local-down local-outputs plan apply clean environment-given

ENVIRONMENTS := development staging production
PYTHON := .venv/bin/python
TERRAFORM := scripts/terraform
READY := .venv/.ready
# The command ai-jobs and the checks of other versions run this; it may be tofu, or a path.
export AI_JOBS_TERRAFORM ?= $(CURDIR)/$(TERRAFORM)
CHECKOV = LOG_LEVEL=ERROR scripts/uv tool run --quiet checkov@3.3.30 --skip-download --quiet --compact --framework terraform
# What examples/platform-repo installs with hashes: the command's dependencies, and what builds the command itself.
REQUIREMENTS = scripts/uv export --quiet --frozen --no-default-groups --extra cli --group build --no-emit-project --no-header --no-annotate
ZIZMOR = .venv/bin/zizmor --quiet --no-progress --offline --persona pedantic .
# The output of targets that run side by side stays together.
OUTPUT_SYNC = $(if $(filter output-sync,$(.FEATURES)),-Otarget)
ON_A_STACK = $(PYTHON) -m pytest -q --tf-binary="$(CURDIR)/$(TERRAFORM)" --tf-mod-dir=tests/stacks

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Run the whole system on this machine, with one job of each type
	@$(PYTHON) -m scripts.demo

# Terraform collects garbage less often: a quarter of its processor time, for twice the memory.
test test-hcl test-plans test-integration test-examples: export GOGC ?= 300

# The integration tests mostly wait, so the other tests run beside them, and let them go first.
test: $(READY) package ## Run the unit, Terraform, and integration tests, the examples, and a short fault suite
	@$(MAKE) --no-print-directory -j 3 $(OUTPUT_SYNC) test-offline test-integration test-examples

test-offline: ## Run the unit and Terraform tests with the lowest priority
	@nice -n 19 $(MAKE) --no-print-directory test-unit
	@nice -n 19 $(MAKE) --no-print-directory test-terraform

test-unit: $(READY) ## Run the unit tests (no Terraform, no local AWS)
	@$(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis -n auto tests/unit examples/custom-handler/acme-jobs/tests $(PYTEST_ARGS)

test-terraform: $(READY) ## Run the Terraform tests (plans only): modules, environments, order of an apply, alarms over made-up data, policies against AWS's list of actions
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j 2) $(OUTPUT_SYNC) test-hcl test-plans

test-hcl: $(READY)
	@$(TERRAFORM) -chdir=tests/terraform init -backend=false -input=false >/dev/null
	@$(TERRAFORM) -chdir=tests/terraform test -test-directory=.

test-plans: $(READY)
	@$(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis tests/alarms tests/terraform $(PYTEST_ARGS)

test-integration: $(READY) package ## Run the integration tests and a short fault suite on a separate local AWS
	@$(ON_A_STACK) tests/integration tests/chaos $(PYTEST_ARGS)

# Each apply mostly waits too, so they run side by side. The lowest priority, as test-offline.
test-examples: $(READY) package ## Apply examples to a local AWS each, from outside the checkout, and complete a job in each
	@nice -n 19 $(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis -n 3 tests/examples $(PYTEST_ARGS)

# Terraform before 1.11 and OpenTofu do not know override_during, so they cannot even read the test files that use it.
test-compatibility: $(READY) ## Run what another Terraform or OpenTofu can run of the Terraform tests: make test-compatibility AI_JOBS_TERRAFORM=tofu
	@rm -rf build/compatibility && mkdir -p build/compatibility
	@git ls-files -z modules functions/ai_jobs/contract examples tests/terraform | xargs -0 tar -cf - | tar -xf - -C build/compatibility
	@grep -rl --include='*.tftest.hcl' override_during build/compatibility/tests/terraform | xargs rm
	@for module in build/compatibility/modules/*; do \
		$(AI_JOBS_TERRAFORM) -chdir="$$module" init -backend=false -input=false >/dev/null && \
		$(AI_JOBS_TERRAFORM) -chdir="$$module" validate >/dev/null || exit 1; \
	done
	@$(AI_JOBS_TERRAFORM) -chdir=build/compatibility/tests/terraform init -backend=false -input=false >/dev/null
	@$(AI_JOBS_TERRAFORM) -chdir=build/compatibility/tests/terraform test -test-directory=.
	@$(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis tests/terraform/test_releases.py tests/compatibility

record-release: $(READY) ## Record the Terraform state that this release leaves, for the test of upgrades (CONTRIBUTING.md; two minutes)
	@$(PYTHON) -m scripts.record_release

# checkov pins an old boto3, so it has an environment of its own. Of several folders, it would scan only the first one;
# and the roots are scanned by their files, because in a folder it would scan the modules again for each root. Each
# finding is fixed, or has its reason next to the resource.
scan: $(READY) ## Scan the HCL (checkov), the Python code (ruff's rules S), and the workflows (zizmor) for insecure settings
	@$(CHECKOV) -d modules
	@$(CHECKOV) -f $$(git ls-files 'environments/*.tf' 'examples/*.tf')
	@$(PYTHON) -m ruff check --quiet --select S .
	@$(ZIZMOR)
	@echo "scan: no findings"

# Exits with 2 if it could not check every package.
audit: ## Look up known vulnerabilities of all packages in uv.lock (needs network access to osv.dev)
	@scripts/uv audit --frozen --preview-features audit-command $(AUDIT_ARGS)

check-provider: $(READY) ## Check all HCL arguments against the schema of AWS provider 6.x (downloads 37 MB once, with npm)
	@$(PYTHON) -m scripts.check_provider

check-permissions: $(READY) package ## Remove each permission of the functions on a local AWS, and check that something fails (a few minutes)
	@$(ON_A_STACK) -s tests/permissions $(PYTEST_ARGS)

chaos: $(READY) package ## Run the whole fault suite on a separate local AWS (6 to 9 minutes)
	@$(ON_A_STACK) -s --chaos=full tests/chaos $(PYTEST_ARGS)

bench: $(READY) package ## Measure what the service costs and how fast it is, next to its peers: docs/performance.md (10 minutes)
	@$(PYTHON) -m bench $(BENCH_ARGS)

bench-reconciler: $(READY) ## Time the reconciler with 100,000 dead-lettered messages and 10,000 crashed jobs (6 minutes)
	@$(PYTHON) -m bench.reconciler

lint: $(READY) ## Check style, types, layers of imports, Terraform, shell scripts, and the generated docs
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --check --quiet . || { echo "not formatted: run make format" >&2; exit 1; }
	@$(PYTHON) -m mypy --no-error-summary
	@report=$$(.venv/bin/lint-imports --no-logo --no-cache) || { echo "$$report" >&2; exit 1; }
	@$(ZIZMOR)
	@.venv/bin/shellcheck scripts/uv scripts/terraform .ci/run
	@$(TERRAFORM) fmt -check -diff -recursive . || { echo "not formatted: run make format" >&2; exit 1; }
	@for root in local $(ENVIRONMENTS); do \
		$(TERRAFORM) -chdir="environments/$$root" init -backend=false -input=false -lockfile=readonly >/dev/null && \
		$(TERRAFORM) -chdir="environments/$$root" validate >/dev/null || exit 1; \
	done
	@$(PYTHON) -m scripts.module_docs --check
	@$(PYTHON) -m scripts.copy_roots --check
	@$(PYTHON) -m scripts.lifecycle_docs --check
	@$(PYTHON) -m scripts.scaling_docs --check
	@$(PYTHON) -m scripts.deployer_policy --check
	@$(REQUIREMENTS) | diff - examples/platform-repo/requirements.txt || { echo "not what uv.lock has: run make docs" >&2; exit 1; }
	@$(PYTHON) -m bench render --check
	@echo "lint: passed"

format: $(READY) ## Format Python and Terraform
	@$(PYTHON) -m ruff check --quiet --fix . || true
	@$(PYTHON) -m ruff format --quiet .
	@$(TERRAFORM) fmt -recursive .

docs: $(READY) ## Generate the modules' input and output tables, the lifecycle table, and what the environments share
	@$(PYTHON) -m scripts.module_docs
	@$(PYTHON) -m scripts.copy_roots
	@$(PYTHON) -m scripts.lifecycle_docs
	@$(PYTHON) -m scripts.scaling_docs
	@$(PYTHON) -m scripts.deployer_policy
	@$(REQUIREMENTS) --output-file examples/platform-repo/requirements.txt

site: $(READY) ## Build the docs site in build/site, and check every link in it
	@$(PYTHON) -m scripts.site build

site-serve: $(READY) ## Serve the docs site on loopback while you write (address: SITE_ADDRESS)
	@$(PYTHON) -m scripts.site serve $(SITE_ADDRESS)

picture: $(READY) ## Draw docs/dashboard.png from the numbers of a local run (about two minutes)
	@$(PYTHON) -m scripts.dashboard_picture

package: $(READY) ## Build a release in dist/: the Lambda zips, their manifest, checksums, and bill of materials
	@$(PYTHON) -m scripts.package

publish: $(READY) $(if $(FROM),,package) ## Upload a release to a bucket: make publish BUCKET=name [PREFIX=folder] [REGION=eu-west-1] [FROM=downloaded release]
	@$(if $(BUCKET),:,echo 'BUCKET is missing. Run, for example: make publish BUCKET=your-artifacts PREFIX=ai-jobs' >&2; exit 1)
	@$(PYTHON) -m scripts.publish --bucket "$(BUCKET)" --prefix "$(PREFIX)" --region "$(REGION)" --directory "$(or $(FROM),dist)"

local-up: $(READY) ## Start the local AWS and apply environments/local (port: AI_JOBS_LOCAL_PORT)
	@$(PYTHON) -m scripts.local_stack up

local-down: $(READY) ## Stop the local AWS and discard what was applied to it
	@$(PYTHON) -m scripts.local_stack down

local-outputs: $(READY) ## Print the local stack's Terraform outputs as JSON
	@$(PYTHON) -m scripts.local_stack outputs

# A plan with broken job types is not applied. Terraform applies a saved plan without asking, so make asks instead;
# -auto-approve in TF_ARGS skips the question.
PLAN = .terraform/ai-jobs.tfplan
APPROVED = $(filter -auto-approve -auto-approve=true --auto-approve,$(TF_ARGS))
PLANNED = $(TERRAFORM) -chdir="environments/$(ENV)" init -input=false -backend-config=backend.hcl && \
	$(TERRAFORM) -chdir="environments/$(ENV)" plan $(filter-out $(APPROVED),$(TF_ARGS)) -out=$(PLAN) && \
	$(TERRAFORM) -chdir="environments/$(ENV)" show -json $(PLAN) >"environments/$(ENV)/$(PLAN).json" && \
	.venv/bin/ai-jobs types check "environments/$(ENV)/$(PLAN).json" || \
	{ rm -f "environments/$(ENV)/$(PLAN)" "environments/$(ENV)/$(PLAN).json"; echo "nothing was applied" >&2; exit 1; }; \
	rm -f "environments/$(ENV)/$(PLAN).json"

plan: environment-given package ## Plan an environment on AWS and check its job types: make plan ENV=development
	@$(PLANNED)

apply: environment-given package ## Plan, check, and apply an environment on AWS: make apply ENV=development
	@$(PLANNED)
	@$(if $(APPROVED),:,printf 'Apply this plan to %s? Only "yes" applies it: ' "$(ENV)" && read -r answer && [ "$$answer" = yes ]) || \
		{ echo "nothing was applied" >&2; exit 1; }
	@$(TERRAFORM) -chdir="environments/$(ENV)" apply $(PLAN)
	@rm -f "environments/$(ENV)/$(PLAN)"

environment-given:
	@$(if $(and $(filter 1,$(words $(ENV))),$(filter $(ENV),$(ENVIRONMENTS))),:,echo 'ENV is "$(ENV)". It must be one of: $(ENVIRONMENTS). Run, for example: \
		make plan ENV=development (for the local environment: make local-up)' >&2; exit 1)
	@[ -f "environments/$(ENV)/backend.hcl" ] || { \
		echo "environments/$(ENV)/backend.hcl is missing. It says where the state is (bucket, key, region)." >&2; \
		echo "Copy backend.hcl.example in that folder to backend.hcl, and fill it in." >&2; exit 1; }

clean: $(READY) ## Stop the local stack and remove everything that was built
	@$(PYTHON) -m scripts.local_stack down
	@rm -rf dist build .local environments/local/.ai-jobs-local .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find environments tests examples -name .terraform -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml uv.lock .python-version scripts/uv
	@scripts/uv sync --frozen --quiet --group picture --group docs
	@touch $(READY)
