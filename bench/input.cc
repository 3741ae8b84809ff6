// How fast the input pipeline delivers JPEGs, beside what libjpeg-turbo alone decodes on the same
// threads: the same files, in turn, in one run.
//
//   bench_input [THREADS [ROUNDS [WIDTH HEIGHT]]]
//
// Makes its pictures itself, in a folder of its own. Prints one JSON object: pictures per second of
// libjpeg-turbo (files in memory, into one buffer per thread), of the pipeline that decodes only,
// and of the whole recipe for ImageNet; and the ratios of the last two to the first, by the clock
// and by the processors' time.
#include <fmt/format.h>
#include <jpeglib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <vector>

#include "tessera/base/parallel.h"
#include "tessera/base/stopwatch.h"
#include "tessera/data/pipeline.h"

namespace {

using File = std::vector<unsigned char>;

struct Settings {
  int threads = tessera::default_thread_count();
  int rounds = 5;
  int width = 500;
  int height = 375;
};

constexpr int kFiles = 64;
constexpr int kPasses = 12;  // over the files in a round
constexpr const char* kRecipe =
    "resize(256) center_crop(224) normalize([0.485*255,0.456*255,0.406*255],"
    "[0.229*255,0.224*255,0.225*255]) to_chw";

/// Waves of many lengths and some noise: as much detail as a photograph has.
std::vector<unsigned char> paint(const Settings& settings, int seed) {
  std::vector<unsigned char> pixels;
  uint32_t noise = 1 + static_cast<uint32_t>(seed);
  for (int y = 0; y < settings.height; ++y)
    for (int x = 0; x < settings.width; ++x)
      for (int c = 0; c < 3; ++c) {
        double value = 128;
        for (int wave = 1; wave <= 6; ++wave)
          value += 60.0 / wave *
                   std::sin(0.011 * wave * wave * (x + seed) + 0.017 * wave * y * (1 + c % 2) + c);
        noise = noise * 1664525U + 1013904223U;
        value += static_cast<double>(noise >> 24) / 16 - 8;
        pixels.push_back(static_cast<unsigned char>(std::clamp(value, 0.0, 255.0)));
      }
  return pixels;
}

File compress(const Settings& settings, std::vector<unsigned char> pixels) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = static_cast<JDIMENSION>(settings.width);
  jpeg.image_height = static_cast<JDIMENSION>(settings.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 90, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < settings.height; ++y) {
    JSAMPROW line = &pixels[static_cast<size_t>(3 * settings.width * y)];
    jpeg_write_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_compress(&jpeg);
  File file(memory, memory + size);
  jpeg_destroy_compress(&jpeg);
  std::free(memory);
  return file;
}

/// What a program that uses libjpeg-turbo and nothing else does.
void decode(const File& file, std::vector<unsigned char>& pixels) {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file.data(), file.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg_start_decompress(&jpeg);
  const size_t line_bytes = size_t{3} * jpeg.output_width;
  pixels.resize(line_bytes * jpeg.output_height);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW line = pixels.data() + jpeg.output_scanline * line_bytes;
    jpeg_read_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
}

/// What a phase took: the clock's seconds, and the processors' seconds of all threads, which
/// neighbours on the machine disturb less.
struct Taken {
  double seconds;
  double processor_seconds;
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <typename Work>
Taken measure(const Work& work) {
  const tessera::Stopwatch watch;
  const double begin = processor_seconds();
  work();
  return {watch.seconds(), processor_seconds() - begin};
}

void decode_alone(const std::vector<File>& files, int threads) {
  std::atomic<size_t> next = 0;
  std::vector<std::jthread> pool;
  for (int i = 0; i < threads; ++i)
    pool.emplace_back([&] {
      std::vector<unsigned char> pixels;
      for (size_t at = next++; at < kPasses * files.size(); at = next++)
        decode(files[at % files.size()], pixels);
    });
}

void deliver(tessera::Pipeline& rows) {
  rows.rewind();
  int64_t count = 0;
  while (const auto batch = rows.next()) count += batch->rows;
  if (count != kPasses * kFiles) std::abort();
}

double median(const std::vector<Taken>& rounds, double Taken::*which) {
  std::vector<double> times;
  for (const Taken& taken : rounds) times.push_back(taken.*which);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// One way of reading beside libjpeg-turbo alone.
std::string compared(std::string_view name, const std::vector<Taken>& rounds,
                     const std::vector<Taken>& alone) {
  const auto ratio = [&](double Taken::*which) {
    return median(alone, which) / median(rounds, which);
  };
  return fmt::format(
      "\"{0}_per_s\": {1:.1f}, \"{0}_ratio\": {2:.3f}, \"{0}_processor_ratio\": {3:.3f}", name,
      kPasses * kFiles / median(rounds, &Taken::seconds), ratio(&Taken::seconds),
      ratio(&Taken::processor_seconds));
}

void run(const Settings& settings) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("tessera_bench_input_" + std::to_string(getpid()));
  std::vector<File> files;
  size_t bytes = 0;
  for (int i = 0; i < kFiles; ++i) {
    files.push_back(compress(settings, paint(settings, i)));
    bytes += files.back().size();
    for (int pass = 0; pass < kPasses; ++pass) {
      const auto place = folder / std::to_string(pass);
      std::filesystem::create_directories(place);
      std::ofstream(place / fmt::format("{:03}.jpg", i), std::ios::binary)
          .write(reinterpret_cast<const char*>(files.back().data()),
                 static_cast<std::streamsize>(files.back().size()));
    }
  }
  const tessera::Pipeline rows =
      tessera::Pipeline(tessera::open_rows("folder:" + folder.string())).threads(settings.threads);
  tessera::Pipeline decoded = rows.batch(32);
  tessera::Pipeline whole = rows.map(kRecipe).batch(32);
  std::vector<Taken> alone;
  std::vector<Taken> decoding;
  std::vector<Taken> recipe;
  for (int round = 0; round < settings.rounds; ++round) {
    alone.push_back(measure([&] { decode_alone(files, settings.threads); }));
    decoding.push_back(measure([&] { deliver(decoded); }));
    recipe.push_back(measure([&] { deliver(whole); }));
  }
  std::filesystem::remove_all(folder);
  std::cout << fmt::format(
      "{{\"threads\": {}, \"pixels\": \"{}x{}\", \"bytes\": {}, \"libjpeg_per_s\": {:.1f}, {}, "
      "{}}}\n",
      settings.threads, settings.width, settings.height, bytes / kFiles,
      kPasses * kFiles / median(alone, &Taken::seconds), compared("decoded", decoding, alone),
      compared("recipe", recipe, alone));
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  int* const places[] = {&settings.threads, &settings.rounds, &settings.width, &settings.height};
  for (int i = 1; i < argc && i <= 4; ++i) *places[i - 1] = std::max(1, std::atoi(argv[i]));
  try {
    run(settings);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_input: " << error.what() << '\n';
    return 1;
  }
}
