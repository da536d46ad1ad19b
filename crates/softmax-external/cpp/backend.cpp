// A softmax backend in C++17, without libraries, as docs/EXTERNAL.md describes the protocol:
//
//     c++ -O2 -std=c++17 backend.cpp -o backend
//     softmax verify --external cpp=./backend
//
// It computes in double precision: loss and dW of hard labels, with a bias, db and predicted classes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

// The part of JSON that requests and headers use.
struct Json {
    std::string text;  // The text of a string or a number.
    std::vector<Json> items;
    std::map<std::string, Json> fields;

    const Json& operator[](const std::string& key) const { return fields.at(key); }
    size_t size() const { return std::stoull(text); }
};

struct Parser {
    const std::string& s;
    size_t at = 0;

    char next() {
        while (at < s.size() && std::isspace(static_cast<unsigned char>(s[at]))) at++;
        return at < s.size() ? s[at] : '\0';
    }
    void expect(char c) {
        if (next() != c) throw std::runtime_error(std::string("expected ") + c);
        at++;
    }
    std::string string() {
        std::string out;
        expect('"');
        while (at < s.size() && s[at] != '"') {
            if (s[at] == '\\') at++;
            out += s[at++];
        }
        expect('"');
        return out;
    }
    Json value() {
        Json json;
        if (next() == '{') {
            for (at++; next() != '}';) {
                std::string key = string();
                expect(':');
                json.fields[key] = value();
                if (next() == ',') at++;
            }
            at++;
        } else if (s[at] == '[') {
            for (at++; next() != ']';) {
                json.items.push_back(value());
                if (next() == ',') at++;
            }
            at++;
        } else if (s[at] == '"') {
            json.text = string();
        } else {
            while (at < s.size() && !std::strchr(",]} \t\r\n", s[at])) json.text += s[at++];
        }
        return json;
    }
};

// A safetensors file: the length of the JSON header, the header, and the arrays.
struct Arrays {
    std::vector<char> data;
    Json header;

    explicit Arrays(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        uint64_t length = 0;
        file.read(reinterpret_cast<char*>(&length), sizeof length);
        std::string text(length, ' ');
        file.read(text.data(), static_cast<std::streamsize>(length));
        data.assign(std::istreambuf_iterator<char>(file), {});
        header = Parser{text}.value();
    }
    bool has(const std::string& name) const { return header.fields.count(name) > 0; }
    template <class T>
    std::vector<T> get(const std::string& name) const {
        const auto& range = header[name]["data_offsets"].items;
        std::vector<T> numbers((range[1].size() - range[0].size()) / sizeof(T));
        if (!numbers.empty()) std::memcpy(numbers.data(), &data[range[0].size()], numbers.size() * sizeof(T));
        return numbers;
    }
};

struct Answer {
    std::string header;
    std::vector<char> data;

    template <class T>
    void add(const std::string& name, const std::string& type, const std::string& shape, const std::vector<T>& numbers) {
        size_t begin = data.size(), bytes = numbers.size() * sizeof(T);
        data.resize(begin + bytes);
        if (bytes > 0) std::memcpy(&data[begin], numbers.data(), bytes);
        header += (header.empty() ? "\"" : ",\"") + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" + shape +
                  "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(begin + bytes) + "]}";
    }
    void write(const std::string& path) const {
        std::ofstream file(path, std::ios::binary);
        std::string text = "{" + header + "}";
        uint64_t length = text.size();
        file.write(reinterpret_cast<const char*>(&length), sizeof length);
        file.write(text.data(), static_cast<std::streamsize>(length));
        file.write(data.data(), static_cast<std::streamsize>(data.size()));
    }
};

// A number for JSON, which has no NaN and no infinity: these become strings.
std::string number(double x) {
    if (std::isnan(x)) return "\"NaN\"";
    if (std::isinf(x)) return x > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", x);
    return text;
}

std::string evaluate(const Json& request) {
    Arrays in(request["problem"].text);
    size_t n = request["samples"].size(), d = request["features"].size(), c = request["classes"].size();
    auto x = in.get<double>("X"), w = in.get<double>("W");
    auto y = in.get<int64_t>("y");
    auto b = in.has("b") ? in.get<double>("b") : std::vector<double>(c, 0.0);
    std::vector<double> dw(d * c, 0.0), db(c, 0.0), s(c);
    std::vector<int64_t> predicted(n);
    double loss = 0;
    size_t correct = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < c; k++) s[k] = b[k];
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < c; k++) s[k] += x[i * d + j] * w[j * c + k];
        size_t best = std::max_element(s.begin(), s.end()) - s.begin(), label = y[i];
        predicted[i] = best;
        correct += best == label;
        // The exponentials except the largest are summed alone: 1 + rest would lose digits of a confident prediction.
        double rest = 0, max = s[best], others = 0;
        for (size_t k = 0; k < c; k++)
            if (k != best) rest += std::exp(s[k] - max);
        loss += (max - s[label]) + std::log1p(rest);
        double sum = std::exp(max - max) + rest;  // 1 + rest, or NaN if the largest score is infinite.
        for (size_t k = 0; k < c; k++) {
            s[k] = std::exp(s[k] - max) / sum / n;
            if (k != label) others += s[k];
        }
        s[label] = 0 * s[label] - others;  // NaN stays NaN.
        for (size_t k = 0; k < c; k++) db[k] += s[k];
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < c; k++) dw[j * c + k] += x[i * d + j] * s[k];
    }
    Answer out;
    for (const auto& output : request["outputs"].items) {
        auto size = [](size_t k) { return std::to_string(k); };
        if (output.text == "dW") out.add("dW", "F64", size(d) + "," + size(c), dw);
        if (output.text == "db") out.add("db", "F64", size(c), db);
        if (output.text == "predicted") out.add("predicted", "I64", size(n), predicted);
    }
    out.write(request["answer"].text);
    return "\"loss\": " + number(loss / n) + ", \"correct\": " + std::to_string(correct);
}

int main() {
    std::cout << R"({"protocol": 1, "version": "C++ example", "supports": ["f64", "one_class", "bias", "bias_gradient", "predicted"]})"
              << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        Json request = Parser{line}.value();
        std::string answer;
        try {
            answer = request["call"].text == "evaluate" ? evaluate(request) : "\"error\": \"only evaluate is known\"";
        } catch (const std::exception& error) {
            answer = "\"error\": \"" + std::string(error.what()) + "\"";
        }
        std::cout << "{\"id\": " << request["id"].text << ", " << answer << "}" << std::endl;
    }
}
