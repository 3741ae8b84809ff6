#include "tessera/reshard/destination.h"

namespace tessera {}
