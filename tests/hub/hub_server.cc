#include "tests/hub/hub_server.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "tessera/io/crypto.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {

namespace fs = std::filesystem;

HubServer::HubServer(const fs::path& folder, const fs::path& log, const std::string& certificate,
                     const std::string& key)
    : log_(log) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  const std::string script = (source_dir() / "tests/hub/server.py").string();
  process_ = fork();
  if (process_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    if (certificate.empty())
      execlp("python3", "python3", script.c_str(), folder.c_str(), log.c_str(), nullptr);
    else
      execlp("python3", "python3", script.c_str(), folder.c_str(), log.c_str(), certificate.c_str(),
             key.c_str(), nullptr);
    _exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  std::string port;
  for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';) port += c;
  ::close(out[0]);
  if (port.empty()) throw std::runtime_error("the server of the tests does not start");
  base_ = (certificate.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + port + "/";
}

HubServer::~HubServer() {
  ::close(input_);
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

std::string HubServer::url(const std::string& path) const {
  return base_ + path;
}

std::vector<std::string> HubServer::log() const {
  std::ifstream file(log_);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

size_t HubServer::requests(const std::string& text) const {
  size_t count = 0;
  for (const std::string& line : log()) count += line.find(text) != std::string::npos ? 1 : 0;
  return count;
}

size_t HubServer::bytes(const std::string& text) const {
  size_t sum = 0;
  for (const std::string& line : log())
    if (line.find(text) != std::string::npos) sum += std::stoul(line.substr(line.rfind(' ') + 1));
  return sum;
}

std::string card_text(const CardText& card) {
  std::ostringstream out;
  out << "# " << card.model << "\n\n---\n\nmodel-name: " << card.model
      << "\nbackbone-name: " << card.model
      << "\nmodule-type: cv-classification\nfine-tunable: True\nmodel-version: 1.0\n"
         "train-dataset: "
      << card.data_set
      << "\naccuracy: 0.98\nauthor: nobody\nupdate-time: 2024-01-01\nrepo-link: "
         "https://x.invalid/\n"
         "user-id: nobody\nused-for: inference\nmindspore-version: 1.1\n";
  if (!card.link.empty()) {
    out << "asset:\n  - file-format: " << card.format << "\n    asset-link: <" << card.link
        << ">\n";
    if (!card.sha256.empty()) out << "    asset-sha256: " << card.sha256 << "\n";
  }
  out << "license: Apache2.0\nsummary: of a test\n\n---\n\n## Introduction\n";
  return out.str();
}

std::string digest(const std::string& bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

std::string random_bytes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void HubTest::SetUp() {
  std::string name = (fs::temp_directory_path() / "tessera-hub-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  folder_ = name;
  fs::create_directories(www());
  server_ = std::make_unique<HubServer>(www(), folder_ / "log");
  for (const char* variable :
       {"TESSERA_HUB", "TESSERA_HUB_MIRRORS", "http_proxy", "https_proxy", "HTTPS_PROXY",
        "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    unsetenv(variable);
  setenv("TESSERA_CACHE", cache().c_str(), 1);
}

void HubTest::TearDown() {
  server_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void HubTest::put(const std::string& name, const std::string& content) const {
  const fs::path path = www() / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

hub::FetchOptions HubTest::options() const {
  hub::FetchOptions options;
  options.cache = cache();
  options.retries = 3;
  options.first_wait = 0.01;
  return options;
}

std::vector<std::string> HubTest::leftovers() const {
  std::vector<std::string> names;
  if (!fs::is_directory(cache())) return names;
  for (const auto& entry : fs::recursive_directory_iterator(cache())) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name.find('.') != std::string::npos &&
        entry.path().extension() != ".json")
      names.push_back(name);
  }
  return names;
}

}  // namespace tessera::testing
