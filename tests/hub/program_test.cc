// `tessera hub …` and hub:UID as users and other processes meet them: killed, twice at once, over
// HTTPS, with folders of good and bad cards.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/hub/hub_server.h"
#include "tests/support/run_program.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class HubProgramTest : public HubTest {
 protected:
  /// A card test/1.0/x whose file is served as `mode` says.
  void put_card(const std::string& mode, const std::string& data) {
    put("x.ckpt", data);
    put("test/1.0/x.md",
        card_text({.link = server().url(mode + "/x.ckpt"), .sha256 = digest(data)}));
  }
  std::vector<std::string> fetch_command() {
    return {"hub", "fetch", "test/1.0/x", "--hub", server().url("ok"), "--json"};
  }
  struct Certificate {
    std::string key;
    std::string file;
  };
  /// Of a server on loopback.
  Certificate make_certificate() {
    Certificate made{(folder() / "key.pem").string(), (folder() / "cert.pem").string()};
    const Outcome outcome =
        run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                     made.key, "-out", made.file, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                     "subjectAltName=IP:127.0.0.1"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return made;
  }
  /// The program beside this one.
  pid_t start(const std::vector<std::string>& arguments) {
    const pid_t child = fork();
    if (child != 0) return child;
    std::vector<char*> argv{const_cast<char*>("tessera")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const int nothing = ::open("/dev/null", O_WRONLY);
    dup2(nothing, 1);
    dup2(nothing, 2);
    execv(std::getenv("TESSERA_PROGRAM"), argv.data());
    _exit(127);
  }
  uintmax_t partial_bytes() const {
    for (const auto& entry : fs::recursive_directory_iterator(cache()))
      if (entry.path().extension() == ".part") return entry.file_size();
    return 0;
  }
};

TEST_F(HubProgramTest, AKilledFetchIsResumedAndLeavesNoWrongFile) {
  const std::string data = random_bytes(4 << 20, 2);
  put_card("slow/20", data);
  for (int kills = 0; kills < 3; ++kills) {
    const uintmax_t before = kills == 0 ? 0 : partial_bytes();
    const pid_t child = start(fetch_command());
    for (int i = 0; i < 500 && (!fs::exists(cache()) || partial_bytes() <= before); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    ASSERT_GT(partial_bytes(), before);
    ASSERT_LT(partial_bytes(), data.size());
    EXPECT_FALSE(fs::exists(cache() / "sha256" / digest(data).substr(0, 2) / digest(data)));
  }
  const uintmax_t had = partial_bytes();
  const Outcome done = run_tessera(fetch_command());
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_GE(server().requests("/slow/20/x.ckpt bytes=" + std::to_string(had) + "-"), 1U);
  EXPECT_EQ(run_tessera({"hub", "verify"}).status, 0);
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

TEST_F(HubProgramTest, ManyProcessesShareOneDownload) {
  const std::string data = random_bytes(2 << 20, 3);
  put_card("slow/10", data);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) children.push_back(start(fetch_command()));
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(server().requests("/slow/10/x.ckpt"), 1U);
  EXPECT_EQ(server().bytes("/slow/10/x.ckpt"), data.size());
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

TEST_F(HubProgramTest, HttpsIsCheckedAgainstTheCertificatesOfTheEnvironment) {
  const auto [key, cert] = make_certificate();
  HubServer https(www(), folder() / "https_log", cert, key);
  const std::string data = random_bytes(100'000, 4);
  put("x.ckpt", data);
  put("a/x.md", card_text({.link = https.url("cutwhole/1/x.ckpt"), .sha256 = digest(data)}));
  put("a/down.md",
      card_text({.link = https.url("to/" + server().url("ok/x.ckpt")), .sha256 = digest(data)}));
  put("a/up.md",
      card_text({.link = server().url("to/" + https.url("ok/x.ckpt")), .sha256 = digest(data)}));
  const auto fetch = [&](const std::string& uid) {
    return run_tessera({"hub", "fetch", uid, "--hub", https.url("ok"), "--json"});
  };
  const Outcome untrusted = fetch("a/x");
  EXPECT_EQ(untrusted.status, 1);
  EXPECT_TRUE(has(untrusted.err, "SSL_CERT_FILE")) << untrusted.err;
  for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
    setenv(variable, cert.c_str(), 1);
    fs::remove_all(cache());
    const Outcome trusted = fetch("a/x");
    EXPECT_EQ(trusted.status, 0) << trusted.err;
    EXPECT_EQ(fetch("a/up").status, 0);
    fs::remove_all(cache());
    const Outcome down = fetch("a/down");
    EXPECT_EQ(down.status, 1);
    EXPECT_TRUE(has(down.err, "from https to http is not followed")) << down.err;
    unsetenv(variable);
  }
}

TEST_F(HubProgramTest, HttpsGoesThroughATunnelOfTheProxyOfTheEnvironment) {
  const Certificate certificate = make_certificate();
  HubServer https(www(), folder() / "https_log", certificate.file, certificate.key);
  const std::string data = random_bytes(100'000, 5);
  put("x.ckpt", data);
  put("a/x.md", card_text({.link = https.url("cutwhole/1/x.ckpt"), .sha256 = digest(data)}));
  setenv("https_proxy", server().url("").c_str(), 1);
  setenv("no_proxy", "", 1);
  const auto fetch = [&] { return run_tessera({"hub", "fetch", "a/x", "--hub", https.url("ok")}); };
  EXPECT_EQ(fetch().status, 1) << "the certificate is the server's, not the proxy's";
  setenv("SSL_CERT_FILE", certificate.file.c_str(), 1);
  const Outcome outcome = fetch();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* variable : {"https_proxy", "no_proxy", "SSL_CERT_FILE"}) unsetenv(variable);
  EXPECT_GE(server().requests("proxy CONNECT 127.0.0.1:"), 2U);
  EXPECT_GE(https.requests("GET /cutwhole/1/x.ckpt"), 2U) << "it was cut once";
  EXPECT_EQ(server().requests("x.ckpt"), 0U) << "the proxy sees what is fetched";
}

TEST_F(HubProgramTest, ATerminalShowsHowFarAFetchIs) {
  const std::string data = random_bytes(1'000'000, 6);
  const auto on_terminal = [&](const std::string& mode, const std::string& option) {
    put_card(mode, data);
    std::vector<std::string> command{"python3", "-c",
                                     "import os, pty, sys\n"
                                     "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
                                     std::getenv("TESSERA_PROGRAM")};
    for (const std::string& word : fetch_command())
      if (word != "--json") command.push_back(word);
    if (!option.empty()) command.push_back(option);
    const Outcome outcome = run_program(command);
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
    fs::remove_all(cache());
    return outcome.out;
  };
  const std::string known = on_terminal("slow/30", "");
  EXPECT_TRUE(has(known, "fetching ") && has(known, "%") && has(known, "/s")) << known;
  EXPECT_TRUE(has(known, "\r\033[K")) << "the bar goes again: " << known;
  const std::string unknown = on_terminal("nolength/0", "");
  EXPECT_FALSE(has(unknown, "%")) << "of what? " << unknown;
  EXPECT_FALSE(has(on_terminal("slow/30", "--quiet"), "fetching"));
}

TEST_F(HubProgramTest, AListNamesEveryCardAndWhatIsMalformedAboutIt) {
  const std::string good = card_text({.link = "https://h.invalid/x.ckpt", .sha256 = digest("")});
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = good;
    return text.replace(text.find(what), what.size(), by);
  };
  put("a/good.md", good);
  put("a/no_front.md", "# text only\n");
  put("a/not_closed.md", "---\nmodel-name: x\n");
  put("a/no_license.md", replaced("license: Apache2.0\n", ""));
  put("a/bad_hash.md", replaced(digest(""), "1234"));
  put("a/dots.md", replaced("https://h.invalid/x.ckpt", "https://h.invalid/../../x.ckpt"));
  put("a/file_link.md", replaced("https://h.invalid/x.ckpt", "file:///etc/passwd"));
  put("a/no_yaml.md", replaced("user-id: nobody", "user-id: [nobody"));
  put("a/laughs.md", "---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n");
  put("a/bomb.md", "---\n" + std::string(10 << 20, '[') + "\n---\n");
  put("a/deep.md", "---\na: " + std::string(50, '[') + std::string(50, ']') + "\n---\n");
  put("README.md", "# no card\n");
  put(".git/x.md", "---\n---\n");
  const Outcome list = run_tessera({"hub", "list", "--hub", www().string(), "--json"});
  ASSERT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(has(list.out, "\"count\": 11")) << list.out;
  EXPECT_EQ(count_of(list.out, "\"reason\": "), 10U) << list.out;
  for (const char* reason :
       {"0 lines that begin with '---'", "1 lines that begin with '---'", "it lacks license",
        "asset-sha256 is '1234': 4 characters", "its path has '..'", "it is no http or https URL",
        "its front matter is no YAML", "an alias", "more than", "at most 1.0 MiB"})
    EXPECT_TRUE(has(list.out, reason)) << reason;
  // What was printed is the index that a base URL needs.
  put("index.json", list.out);
  const Outcome again = run_tessera({"hub", "list", "--hub", server().url("ok"), "--json"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(has(again.out, "\"count\": 11"));
  EXPECT_EQ(count_of(again.out, "\"reason\": "), 10U);
  EXPECT_EQ(count_of(again.out, digest("")), count_of(list.out, digest("")));
}

TEST_F(HubProgramTest, BombsAreRefusedInLittleTimeAndMemory) {
  put("bomb.md", "---\n" + std::string(10 << 20, '{') + "\n---\n");
  put("wide.md", "---\na: [" + std::string(60 << 10, ',') + "]\n---\n");
  put("zeros.md", "---\n" + std::string(900 << 10, 'x') + "\n---\n");
  const std::string program = std::getenv("TESSERA_PROGRAM");
  const auto begin = std::chrono::steady_clock::now();
  const Outcome list =
      run_program({"bash", "-c", "ulimit -v 1500000; exec \"$0\" hub list --hub \"$1\"", program,
                   www().string()});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_EQ(count_of(list.out, "malformed: "), 3U) << list.out;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(HubProgramTest, WhatIsNoFileIsNamedAndNotWaitedFor) {
  put("file.md", "---\nmodel-name: x\n---\n");
  fs::create_directory(www() / "folder.md");
  fs::create_symlink("nowhere.md", www() / "link.md");
  fs::create_symlink("/dev/zero", www() / "device.md");
  ASSERT_EQ(run_program({"mkfifo", (www() / "pipe.md").string()}).status, 0);
  const Outcome list = run_tessera({"hub", "list", "--hub", www().string()});
  EXPECT_EQ(list.status, 0) << list.err;
  for (const char* reason :
       {"malformed: link: it is a link that leads to no file", "malformed: pipe: it is no regular",
        "malformed: device: it is no regular file", "4 cards, 4 malformed"})
    EXPECT_TRUE(has(list.out, reason)) << reason << " in\n" << list.out;
}

TEST_F(HubProgramTest, AListThatIsNotKeptIsNoEmptyList) {
  const Outcome list = run_tessera({"hub", "list", "--hub", server().url("ok"), "--offline"});
  EXPECT_NE(list.status, 0);
  EXPECT_TRUE(has(list.err, "keeps no card of " + server().url("ok"))) << list.err;
}

TEST_F(HubProgramTest, EvalAndPredictTakeACardForTheModel) {
  std::ifstream file(source_dir() / "examples/digits/lenet5_digits.ckpt", std::ios::binary);
  const std::string weights{std::istreambuf_iterator<char>(file), {}};
  put_card("ok", weights);
  const fs::path program = std::getenv("TESSERA_PROGRAM");
  const std::string rows = (folder() / "digits").string();
  ASSERT_EQ(run_program({(program.parent_path() / "make_digits").string(), rows}).status, 0);
  const std::string data = "mnist:" + rows + "/test";
  const Outcome direct =
      run_tessera({"eval", "lenet5", "--weights", (www() / "x.ckpt").string(), "--data", data});
  const std::vector<std::string> command{
      "eval", "hub:test/1.0/x", "--hub", server().url("ok"), "--data", data, "--quiet"};
  const Outcome from_hub = run_tessera(command);
  ASSERT_EQ(from_hub.status, 0) << from_hub.err;
  const auto accuracy = [](const std::string& text) {
    const size_t at = text.find("accuracy:");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(accuracy(from_hub.out), accuracy(direct.out));
  const size_t requests = server().log().size();
  std::vector<std::string> offline = command;
  offline.emplace_back("--offline");
  EXPECT_EQ(run_tessera(offline).status, 0);
  EXPECT_EQ(server().log().size(), requests);
  // A head of another size is an error until it is asked for by name.
  std::vector<std::string> other = offline;
  other[1] = "hub:test/1.0/x(num_classes=12)";
  const Outcome refused = run_tessera(other);
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.err, "'--reinit'")) << refused.err;
  other.insert(other.end(), {"--reinit", "fc3.*"});
  EXPECT_EQ(run_tessera(other).status, 0);
  other[1] = "hub:test/1.0/x(include_top=false)";
  EXPECT_TRUE(has(run_tessera(other).err, "no option 'include_top'"));
}

TEST_F(HubProgramTest, TheCacheIsVerifiedAndCleaned) {
  const std::string data = random_bytes(50'000, 5);
  put_card("ok", data);
  ASSERT_EQ(run_tessera(fetch_command()).status, 0);
  const fs::path path = cache() / "sha256" / digest(data).substr(0, 2) / digest(data);
  std::ofstream(path, std::ios::binary | std::ios::in).seekp(7).put('!');
  std::ofstream(path.string() + ".part") << "x";
  std::ofstream(cache() / "mine.txt") << "not of the cache";
  const Outcome verified = run_tessera({"hub", "verify"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_TRUE(has(verified.out, "damaged  test/1.0/x")) << verified.out;
  EXPECT_TRUE(has(run_tessera({"hub", "clean", "--json"}).out, "\"removed\": 2"));
  EXPECT_EQ(run_tessera({"hub", "verify"}).status, 0);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(has(run_tessera({"hub", "clean", "--all", "--json"}).out, "\"removed\": 1"));
  EXPECT_TRUE(fs::exists(cache() / "mine.txt"));
}

TEST_F(HubProgramTest, WithNothingSetTheBuiltInCardsAreThere) {
  const Outcome list = run_tessera({"hub", "list", "--json"});
  ASSERT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(has(list.out, "mindspore/ascend/0.7/googlenet_v1_cifar10"));
  EXPECT_TRUE(has(list.out, "\"malformed\": []")) << list.out;
  EXPECT_TRUE(has(run_tessera({"hub", "search", "GOOGLENET", "0.7"}).out, "1 cards, 0 malformed"));
  EXPECT_EQ(run_tessera({"hub", "show", "mindspore/1.10/lenet_mnist"}).status, 0);
  const Outcome near = run_tessera({"hub", "show", "mindspore/1.10/lenet_mnst"});
  EXPECT_EQ(near.status, 1);
  EXPECT_TRUE(has(near.err, "nearest: 'mindspore/1.10/lenet_mnist'")) << near.err;
  for (const char* name : {"../x", "/etc/passwd", "a\\b", "a//b", ".hidden", "a/..", "a:b"})
    EXPECT_TRUE(has(run_tessera({"hub", "show", name}).err, "no uid of a card")) << name;
  EXPECT_EQ(run_tessera({"hub", "lst"}).status, 2);
}

TEST_F(HubProgramTest, CheckoutsSideBySideKeepAllTheirCards) {
  const std::string text = card_text({.link = "https://h.invalid/x", .sha256 = digest("")});
  put("r1/mshub_res/assets/a/1.0/x.md", text);
  put("r2/mshub_res/assets/a/1.0/x.md", text);
  put("r2/mshub_res/assets/a/2.0/y.md", text);
  put("r2/README.md", "---\nnote: no card\n---\n");
  put("other/z.MD", text);
  const Outcome list = run_tessera({"hub", "list", "--hub", www().string(), "--json"});
  EXPECT_TRUE(has(list.out, "\"count\": 4")) << list.out;
  EXPECT_EQ(count_of(list.out, "\"uid\": \"a/1.0/x\""), 2U);
  const auto show = [&](const std::string& uid) {
    return run_tessera({"hub", "show", uid, "--hub", www().string()});
  };
  EXPECT_TRUE(has(show("a/1.0/x").err, "is the uid of 2 cards"));
  EXPECT_EQ(show("a/2.0/y").status, 0);
  EXPECT_EQ(show("2.0/y").status, 0);
  EXPECT_EQ(show("other/z").status, 0);
  EXPECT_EQ(show((www() / "r1/mshub_res/assets/a/1.0/x.md").string()).status, 0);
}

TEST_F(HubProgramTest, MindSporesCardsAreAllRead) {
  TESSERA_NEEDS_SHARED_DATA();
  const Outcome list =
      run_tessera({"hub", "list", "--hub", (shared_data() / "hub").string(), "--json"});
  ASSERT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(has(list.out, "\"count\": 184")) << list.out.substr(0, 300);
  EXPECT_TRUE(has(list.out, "\"malformed\": []"));
  EXPECT_TRUE(has(list.out, "\"uid\": \"mindspore/ascend/0.7/googlenet_v1_cifar10\""));
  EXPECT_EQ(count_of(list.out, "\"sha256\": \""), 165U);
}

}  // namespace
}  // namespace tessera::testing
