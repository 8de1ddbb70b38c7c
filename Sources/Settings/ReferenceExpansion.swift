/// Replaces `${NAME}` by environment variables and `file:` by the content of a file. What comes from outside is not
/// scanned again, so a variable may hold `${`. Only `${` begins a reference: `SCRAM-SHA-256$4096:...` passes untouched.
struct ReferenceExpansion {
    /// A value after its references are replaced.
    struct Expanded {
        var text: String
        /// True when part of the text comes from outside the file; it is then never quoted in an error.
        var isReplaced: Bool
    }

    let environment: [String: String]
    /// Folder of the main file; relative paths begin there.
    let baseFolder: String

    /// `${NAME}` anywhere in the text; `$${` stands for `${`.
    func expand(_ text: String) throws(ValueProblem) -> Expanded {
        guard text.contains("${") else { return Expanded(text: text, isReplaced: false) }
        var result = ""
        var isReplaced = false
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                let inner = rest.dropFirst(2)
                guard let close = inner.firstIndex(of: "}") else {
                    throw ValueProblem("`${` without `}`", hint: "write `$${` for the two characters themselves")
                }
                result += try self.variable(String(inner[..<close]))
                isReplaced = true
                rest = inner[inner.index(after: close)...]
            } else {
                result.append("$")
                rest = rest.dropFirst()
            }
        }
        return Expanded(text: result + rest, isReplaced: isReplaced)
    }

    /// A secret: references as in ``expand(_:)``, and a value that begins with `file:` names a file whose content is
    /// the secret, without one line end at its end.
    func expandSecret(_ text: String) throws(ValueProblem) -> Expanded {
        let expanded = try self.expand(text)
        guard text.hasPrefix("file:") else { return expanded }
        let path = self.resolve(path: String(expanded.text.dropFirst("file:".count)))
        var content: String
        do {
            content = try BoundedFile.read(path, maximumBytes: SettingsLimits.maximumSecretFileBytes)
        } catch {
            throw ValueProblem("the secret file \(path) \(error.reason)")
        }
        if content.hasSuffix("\r\n") || content.hasSuffix("\n") { content.removeLast() }
        return Expanded(text: content, isReplaced: true)
    }

    /// Relative paths begin at the folder of the main file. An empty one is no path, and does not mean the folder.
    func resolve(path: String) -> String {
        if path.isEmpty || path.hasPrefix("/") || self.baseFolder.isEmpty { return path }
        return self.baseFolder.hasSuffix("/") ? self.baseFolder + path : "\(self.baseFolder)/\(path)"
    }

    private func variable(_ name: String) throws(ValueProblem) -> String {
        let isName = name.utf8.enumerated().allSatisfy { position, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): position > 0
            default: false
            }
        }
        guard isName, !name.isEmpty else {
            throw ValueProblem(
                "`${...}` must hold the name of an environment variable",
                hint: "write `$${` for the two characters themselves"
            )
        }
        guard let value = self.environment[name] else {
            throw ValueProblem("the environment variable \(name) is not set")
        }
        return value
    }
}
