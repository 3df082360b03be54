// How deep lists, and what else R's serialization holds, and modules may be nested: C's stack has an end, and so has
// memory for the paths of modules.
#pragma once

constexpr int kDeepest = 5000;
