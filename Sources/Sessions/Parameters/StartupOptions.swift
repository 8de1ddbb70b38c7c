/// The `options` startup parameter: command-line arguments for the server process, of which only settings make sense
/// behind a pool: `-c name=value`, `-cname=value`, `--name=value`. A backslash keeps the next character from splitting.
enum StartupOptions {
    static func parse(_ text: String) throws(SessionParameters.Refusal) -> [(name: String, value: String)] {
        var settings: [(name: String, value: String)] = []
        var words = self.split(text)[...]
        while let word = words.popFirst() {
            let assignment: String
            if word == "-c" {
                guard let next = words.popFirst() else { throw .unsupportedOptions(word) }
                assignment = next
            } else if word.hasPrefix("-c") || word.hasPrefix("--") {
                assignment = String(word.dropFirst(2))
            } else {
                throw .unsupportedOptions(word)
            }
            guard let equals = assignment.firstIndex(of: "=") else { throw .unsupportedOptions(word) }
            // Dashes stand for underscores in option names, as in PostgreSQL.
            let name = assignment[..<equals].map { $0 == "-" ? "_" : $0 }
            settings.append((String(name), String(assignment[assignment.index(after: equals)...])))
        }
        return settings
    }

    private static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isEscaped = false
        var hasWord = false
        for character in text.unicodeScalars {
            if isEscaped {
                word.unicodeScalars.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
                hasWord = true
            } else if character == " " || (character.value >= 9 && character.value <= 13) {
                if hasWord { words.append(word) }
                word = ""
                hasWord = false
            } else {
                word.unicodeScalars.append(character)
                hasWord = true
            }
        }
        if hasWord { words.append(word) }
        return words
    }
}
