// tests/hub/server.py while a test runs, and what a hub needs: a folder that it serves, cards in
// it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tessera/hub/download.h"

namespace tessera::testing {

/// A server of a folder on a port of its own.
class HubServer {
 public:
  /// `certificate` and `key`: files of HTTPS; empty: HTTP.
  HubServer(const std::filesystem::path& folder, const std::filesystem::path& log,
            const std::string& certificate = "", const std::string& key = "");
  ~HubServer();
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  /// "http://127.0.0.1:PORT/" + path, or https.
  std::string url(const std::string& path) const;
  /// A line per request so far; see server.py.
  std::vector<std::string> log() const;
  /// Of the requests whose line has `text`.
  size_t requests(const std::string& text) const;
  size_t bytes(const std::string& text) const;

 private:
  std::filesystem::path log_;
  std::string base_;
  int input_ = -1;
  int process_ = 0;
};

struct CardText {
  std::string model = "LeNet";
  std::string link;
  std::string sha256;
  std::string format = "ckpt";
  std::string data_set = "mnist";
};
/// A card with every key that MindSpore Hub demands.
std::string card_text(const CardText& card);

/// SHA-256 in hexadecimal.
std::string digest(const std::string& bytes);
/// Bytes that no two seeds share.
std::string random_bytes(size_t count, unsigned seed);

/// A scratch folder with www/ (which server() serves) and cache/.
class HubTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::filesystem::path folder() const { return folder_; }
  std::filesystem::path www() const { return folder_ / "www"; }
  std::filesystem::path cache() const { return folder_ / "cache"; }
  HubServer& server() { return *server_; }
  /// Writes www/<name>.
  void put(const std::string& name, const std::string& content) const;
  /// Quick to fail, with this test's cache.
  hub::FetchOptions options() const;
  /// The temporary and partial files of the cache.
  std::vector<std::string> leftovers() const;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<HubServer> server_;
};

}  // namespace tessera::testing
