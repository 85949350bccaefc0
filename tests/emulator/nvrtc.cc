// libnvrtc.so.13 for machines without a GPU: compiles kernels for the CPU with the C++ compiler at hand, their own
// ptx.cuh replaced by the emulator's. A "cubin" is a shared library, which the emulated driver loads.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace fs = std::filesystem;

namespace {

constexpr int kSuccess = 0, kCompilation = 6;

struct Program {
  std::string name, text, log, code;
  std::map<std::string, std::string> headers;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteFile(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// The warpgroup's matrix instruction, written by the host for the width of a tile, as the emulator has it.
void ReplaceMultiplyAsync(std::string& text) {
  const size_t begin = text.find("namespace ptx {\nDEVICE void MultiplyAsync(");
  if (begin == std::string::npos) return;
  constexpr std::string_view kEnd = "}  // namespace ptx\n";
  const size_t end = text.find(kEnd, begin) + kEnd.size();
  const std::string was = text.substr(begin, end - begin);
  const bool is_int8 = was.find("u8.s8") != std::string::npos, is_bfloat16 = was.find("bf16") != std::string::npos;
  text.replace(begin, end - begin,
               std::string("namespace ptx {\ntemplate <class Sum, int kCount>\n"
                           "void MultiplyAsync(Sum (&d)[kCount], uint64 a, uint64 b, int accumulate) {\n"
                           "  MultiplyOperands<") +
                   (is_int8       ? "Bytes"
                    : is_bfloat16 ? "BFloat16"
                                  : "Half") +
                   ">(d, a, b, accumulate);\n}\n}\n");
}

/// Dynamic shared memory is the driver's (ptx.cuh); what is left of __shared__ is static.
std::string ForCpu(std::string text) {
  constexpr std::string_view kDynamic = "extern __shared__", kExternal = "extern";
  for (size_t at = text.find(kDynamic); at != std::string::npos; at = text.find(kDynamic, at))
    text.replace(at, kDynamic.size(), kExternal);
  ReplaceMultiplyAsync(text);
  return text;
}

/// "conv_gemm" of "conv_gemm.generated.cu".
std::string EntryOf(const Program& program) { return program.name.substr(0, program.name.find('.')); }

bool Compile(Program& program, const fs::path& folder) {
  for (const auto& [name, text] : program.headers)
    if (name != "ptx.cuh") WriteFile(folder / name, ForCpu(text));
  for (const char* name : {"ptx.cuh", "emulator.h"}) fs::copy_file(fs::path(EMULATOR_FOLDER) / name, folder / name);
  WriteFile(folder / "kernel.cc",
            "#include \"ptx.cuh\"\n" + ForCpu(program.text) + "\nEMULATED_KERNEL(" + EntryOf(program) + ")\n");
  const std::string at = folder.string(), log = at + "/log";
  // Hidden: the static variables of two kernels' templates may have one name, and are not to be one.
  const std::string command =
      std::string(EMULATOR_COMPILER) +
      " -std=c++20 -O1 -w -fPIC -shared -fvisibility=hidden -fno-strict-aliasing -D__CUDA_ARCH__=900 -o " + at +
      "/kernel.so " + at + "/kernel.cc > " + log + " 2>&1";
  const bool compiled = system(command.c_str()) == 0;
  program.log = compiled ? "0 bytes stack frame, 0 bytes spill stores" : ReadFile(log);
  program.code = ReadFile(folder / "kernel.so");
  return compiled;
}

Program& Of(void* program) { return *static_cast<Program*>(program); }

}  // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, kSuccess; }
const char* nvrtcGetErrorString(int) { return "the emulated compiler failed"; }
int nvrtcGetNumSupportedArchs(int* count) { return *count = 1, kSuccess; }
int nvrtcGetSupportedArchs(int* list) { return *list = 90, kSuccess; }

int nvrtcCreateProgram(void** program, const char* text, const char* name, int headers, const char* const* texts,
                       const char* const* names) {
  auto* made = new Program{.name = name, .text = text};
  for (int i = 0; i < headers; ++i) made->headers[names[i]] = texts[i];
  return *program = made, kSuccess;
}
int nvrtcDestroyProgram(void** program) { return delete static_cast<Program*>(*program), kSuccess; }

int nvrtcCompileProgram(void* program, int, const char* const*) {
  std::string folder = (fs::temp_directory_path() / "tenon-emulator-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return kCompilation;
  const bool compiled = Compile(Of(program), folder);
  fs::remove_all(folder);
  return compiled ? kSuccess : kCompilation;
}

int nvrtcGetProgramLogSize(void* program, size_t* bytes) { return *bytes = Of(program).log.size() + 1, kSuccess; }
int nvrtcGetProgramLog(void* program, char* text) { return strcpy(text, Of(program).log.c_str()), kSuccess; }
int nvrtcGetCUBINSize(void* program, size_t* bytes) { return *bytes = Of(program).code.size(), kSuccess; }
int nvrtcGetCUBIN(void* program, char* code) {
  return std::copy(Of(program).code.begin(), Of(program).code.end(), code), kSuccess;
}

}  // extern "C"
