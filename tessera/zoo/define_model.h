// Included by the files of tessera/zoo, each of which defines one model named after the file.
#pragma once

#include "tessera/nn/layers.h"
#include "tessera/zoo/zoo.h"

/// Begins the definition of the model `model_name`: a function that returns its ModelDef. The build
/// lists the files of tessera/zoo; a file without its TESSERA_MODEL does not link.
#define TESSERA_MODEL(model_name) ::tessera::ModelDef define_model_##model_name()
