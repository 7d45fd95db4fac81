# Perilune's build. `make help` lists the targets.

LUA        ?= lua5.4
# The interpreter is asked, because it may be called just lua; its name tells where only the headers
# are installed.
LUA_VERSION := $(or $(shell $(LUA) -e 'io.write(_VERSION:sub(5))' 2>/dev/null),$(patsubst lua%,%,$(notdir $(LUA))))

PKG_CONFIG ?= pkg-config
# Modules fit one version of Lua: all but 5.4 have a folder of their own, which scripts/support.lua
# knows.
BUILD      ?= build$(if $(filter-out 5.4,$(LUA_VERSION)),/lua$(LUA_VERSION))
PREFIX     ?= /usr/local
LUADIR     ?= $(PREFIX)/share/lua/$(LUA_VERSION)
LIBDIR     ?= $(PREFIX)/lib/lua/$(LUA_VERSION)

# Where there are no .pc files, set LUA_CFLAGS, OPENBLAS_CFLAGS and OPENBLAS_LIBS, as the rockspec
# does.
pkg_config = $(shell { $(PKG_CONFIG) $(1); } 2>/dev/null)
ifndef LUA_CFLAGS
LUA_CFLAGS := $(call pkg_config,--cflags lua$(LUA_VERSION) || $(PKG_CONFIG) --cflags lua-$(LUA_VERSION))
endif
ifndef LUA_LIBS  # of a host; modules are not linked with Lua
LUA_LIBS := $(call pkg_config,--libs lua$(LUA_VERSION) || $(PKG_CONFIG) --libs lua-$(LUA_VERSION))
endif

# Debian keeps each flavour of OpenBLAS in a folder of its own. The serial one is preferred, because
# it has no threads, which src/blas.c is told. Where there are several, the loader's name for
# OpenBLAS is another: hence the -rpath.
ifndef OPENBLAS_LIBS
OPENBLAS_SERIAL := $(wildcard $(call pkg_config,--variable=pcfiledir openblas)/../openblas-serial/pkgconfig/openblas.pc)
OPENBLAS_CFLAGS := $(call pkg_config,--cflags $(or $(OPENBLAS_SERIAL),openblas))
OPENBLAS_LIBS   := $(call pkg_config,--libs $(or $(OPENBLAS_SERIAL),openblas))
ifneq ($(OPENBLAS_SERIAL),)
OPENBLAS_CFLAGS += -DOPENBLAS_SERIAL
OPENBLAS_LIBS   += -Wl,-rpath,$(call pkg_config,--variable=libdir $(OPENBLAS_SERIAL))
endif
endif

# The binary is generic: kernels choose their vector width when they are loaded, so no
# -march=native. -fno-math-errno and -fno-trapping-math let loops be vectorised and change no
# result; -fopenmp-simd reads `#pragma omp simd` and brings neither a library nor threads. Calls of
# Lua go straight to it (-fno-plt): there are many in a step of a small network.
OPTIMIZE ?= -O3 -fno-math-errno -fno-trapping-math
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wwrite-strings -Wundef -Wconversion -Wdouble-promotion -Wvla $(if $(WERROR),-Werror)
COMPILE  := $(CC) -std=gnu11 -fopenmp-simd $(OPTIMIZE) -g -fPIC -fno-plt -fvisibility=hidden -pthread $(WARNINGS) -Isrc \
  $(LUA_CFLAGS) $(OPENBLAS_CFLAGS) $(CFLAGS) -MMD -MP

# Modules are not linked with Lua: its symbols come from the host. They are never unloaded, because
# threads of the pool may outlive the Lua state that loaded them.
SHARED := $(if $(filter Darwin,$(shell uname -s)),-bundle -undefined dynamic_lookup,-shared -Wl,-z,nodelete)
LINK   := $(CC) $(OPTIMIZE) $(SHARED) -pthread $(LDFLAGS)

# Compiled once, a module each: they know no element type.
SINGLE  := openblas system
CORE    := $(filter-out $(SINGLE:=.o),$(patsubst src/%.c,%.o,$(wildcard src/*.c src/product/*.c)))
FLOAT32 := $(addprefix $(BUILD)/float32/,$(CORE))
FLOAT64 := $(addprefix $(BUILD)/float64/,$(CORE))
SINGLES := $(SINGLE:%=$(BUILD)/single/%.o)
MODULES := $(patsubst %,$(BUILD)/perilune/core/%.so,float32 float64 $(SINGLE))

all: $(MODULES)  ## build the C modules into build/

$(BUILD)/float32/%.o: src/%.c Makefile | $(BUILD)/libraries
	$(COMPILE) -DREAL_BITS=32 -c -o $@ $<
$(BUILD)/float64/%.o: src/%.c Makefile | $(BUILD)/libraries
	$(COMPILE) -DREAL_BITS=64 -c -o $@ $<
$(BUILD)/single/%.o: src/%.c Makefile | $(BUILD)/libraries
	$(COMPILE) -c -o $@ $<
$(BUILD)/perilune/core/float32.so: $(FLOAT32)
$(BUILD)/perilune/core/float64.so: $(FLOAT64)
$(BUILD)/perilune/core/float%.so:
	$(LINK) -o $@ $^ -lm
$(BUILD)/perilune/core/openblas.so: $(BUILD)/single/openblas.o
	$(LINK) -o $@ $^ $(OPENBLAS_LIBS)
$(BUILD)/perilune/core/system.so: $(BUILD)/single/system.o
	$(LINK) -o $@ $^
-include $(FLOAT32:.o=.d) $(FLOAT64:.o=.d) $(SINGLES:.o=.d)

# A missing library is reported by its name, before the first compiler error. Headers of another Lua
# count as missing: modules built with them would not load.
$(BUILD)/libraries: Makefile
	@[ -n "$(filter 5.4 5.5,$(LUA_VERSION))" ] || { echo \
	  "Perilune needs Lua 5.4 or 5.5, and LUA=$(LUA) is neither" >&2; exit 1; }
	@printf '#include <lauxlib.h>\n#if LUA_VERSION_NUM != $(subst .,0,$(LUA_VERSION))\n#error\n#endif\n' | \
	  $(CC) $(LUA_CFLAGS) -E - >/dev/null 2>&1 || { echo \
	  "Lua $(LUA_VERSION)'s headers were not found: install pkg-config and liblua$(LUA_VERSION)-dev" >&2; exit 1; }
	@printf '#include <cblas.h>\n' | $(CC) $(OPENBLAS_CFLAGS) -E - >/dev/null 2>&1 || { echo \
	  "OpenBLAS's headers were not found: install pkg-config and libopenblas-serial-dev" >&2; exit 1; }
	@mkdir -p $(sort $(dir $(MODULES) $(FLOAT32) $(FLOAT64) $(SINGLES))) && touch $@

# $(call need,program:package ...), with Debian's name of the package where it differs from the
# program's
need = @for tool in $(1); do command -v "$${tool%:*}" >/dev/null || { \
  echo "$${tool%:*} was not found: install $${tool\#*:}" >&2; exit 1; }; done

test: all  ## run the specs; BUSTED_FLAGS="--filter=softmax" runs some of them
	$(call need,$(LUA):$(notdir $(LUA)) busted:lua-busted)
	@unset OPENBLAS_NUM_THREADS; PERILUNE_BUILD="$$(cd $(BUILD) && pwd)" \
	  $(LUA) "$$(command -v busted)" $(BUSTED_FLAGS)

# $(call sanitized,target): make it with the address and undefined behaviour sanitizers. The path
# comes first so that scripts started by specs run in the same interpreter.
sanitized = +@SANITIZED_LUA="$$(command -v $(LUA))" SANITIZED_MODULE="$(abspath $(BUILD))/sanitize/perilune/core/system.so" \
  PATH="$(CURDIR)/.ci/sanitized:$$PATH" $(MAKE) --no-print-directory $(1) BUILD=$(BUILD)/sanitize LUA=lua5.4 \
  OPTIMIZE="-O1 -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined \
  -fno-omit-frame-pointer -DSANITIZE"

# Left out: other programs, which are not ours to check, and what other specs do as well in C: the
# programs of documents, which train at length (#document), and measurements of memory (#memory),
# which is the collector's doing.
sanitize:  ## run the specs under the address and undefined behaviour sanitizers
	$(call sanitized,test) BUSTED_FLAGS="--exclude-tags=python,torch,document,memory $(BUSTED_FLAGS)"

check-api:  ## make random calls of the whole interface under the sanitizers; SEED=2, CALLS=1000000, CASE=17
	$(call sanitized,fuzz)

fuzz: all
	@PERILUNE_BUILD="$$(cd $(BUILD) && pwd)" $(LUA) spec/fuzz/check_api.lua $(or $(SEED),1) $(or $(CALLS),100000) $(CASE)

check-readers:  ## have readers read damaged files under the sanitizers; SEED=2, MUTATIONS=1000, READER=npy, CASE=17
	$(call sanitized,fuzz-readers)

fuzz-readers: all
	@PERILUNE_BUILD="$$(cd $(BUILD) && pwd)" $(LUA) spec/fuzz/check_readers.lua $(or $(SEED),1) \
	  $(or $(MUTATIONS),100000) $(if $(READER),"$(READER)") $(CASE)

kernels:  ## run the specs of products with the kernels of lesser processors: AVX2, and neither
	@for bytes in 32 0; do \
	  $(MAKE) --no-print-directory test BUILD=$(BUILD)/kernels$$bytes \
	  CFLAGS="$(CFLAGS) -DWIDEST_TILES=$$bytes -DPACKS_AVX2=1" \
	  BUSTED_FLAGS="spec/product spec/affine_spec.lua spec/dense_spec.lua \
	  spec/pool_spec.lua spec/host_spec.lua" || exit 1; done

# A host exports Lua's symbols, which the modules need.
$(BUILD)/oom_host: spec/oom/host.c Makefile | $(BUILD)/libraries
	$(COMPILE) -Wl,-E -o $@ $< $(LDFLAGS) $(LUA_LIBS)
-include $(BUILD)/oom_host.d

check-oom: all $(BUILD)/oom_host  ## let memory run out at many moments; OOM="--points all" tries each, OOM=--help tells more
	$(call need,$(LUA):$(notdir $(LUA)))
	@LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;" LUA_CPATH="$(abspath $(BUILD))/?.so;;" \
	  $(BUILD)/oom_host spec/oom/check.lua $(OOM)

valgrind: all  ## train a small network under valgrind
	$(call need,valgrind)
	PERILUNE_BUILD=$(BUILD) OPENBLAS_NUM_THREADS=1 valgrind --quiet --leak-check=full --error-exitcode=9 \
	  --errors-for-leak-kinds=definite,indirect,possible $(LUA) scripts/train_xor.lua

# Suppressed: a local may be called like a function (-Wshadow sees to variables); system headers are
# not ours.
CPPCHECK := cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability,style \
  --inline-suppr --suppress=shadowFunction --suppress=missingIncludeSystem --std=c11 -Isrc
C_FILES := src/*.[ch] src/product/*.[ch] spec/*/*.c
TIDY := -- -std=gnu11 -fopenmp-simd -Isrc $(WARNINGS) $(LUA_CFLAGS) $(OPENBLAS_CFLAGS)

lint:  ## check the sources; a warning is an error
	$(call need,luacheck:lua-check clang-format clang-tidy cppcheck)
	$(LUA) .ci/check_source
	luacheck --quiet lua scripts spec .ci/check_source .busted .luacheckrc *.rockspec
	clang-format --dry-run -Werror $(C_FILES)
	for bits in 32 64; do $(CPPCHECK) -DREAL_BITS=$$bits src && \
	  clang-tidy --quiet src/*.c src/product/*.c $(TIDY) -DREAL_BITS=$$bits || exit 1; done
	$(CPPCHECK) spec && clang-tidy --quiet spec/*/*.c $(TIDY)

format:  ## lay out the C sources as .clang-format says
	$(call need,clang-format)
	clang-format -i $(C_FILES)

bench: all  ## measure speed
	PERILUNE_BUILD=$(BUILD) $(LUA) scripts/bench.lua

install: all  ## install below PREFIX (/usr/local), or into LUADIR and LIBDIR; honours DESTDIR
	cd lua && for file in $$(find perilune -name '*.lua'); do \
	  install -d "$(DESTDIR)$(LUADIR)/$${file%/*}" && \
	  install -m 644 "$$file" "$(DESTDIR)$(LUADIR)/$$file" || exit 1; done
	install -d "$(DESTDIR)$(LIBDIR)/perilune/core"
	install -m 755 $(MODULES) "$(DESTDIR)$(LIBDIR)/perilune/core"

reference:  ## ask PyTorch and scikit-learn again for the numbers that specs compare with
	@for program in $(filter-out %/common.py,$(wildcard spec/reference/*.py)); do \
	  /usr/bin/python3 -B -W ignore $$program >$$program.new && mv $$program.new $${program%.py}.json || exit 1; done

clean:  ## remove what was built
	rm -rf build

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

.PHONY: all test sanitize check-api fuzz check-readers fuzz-readers kernels check-oom valgrind lint format bench install reference clean help
