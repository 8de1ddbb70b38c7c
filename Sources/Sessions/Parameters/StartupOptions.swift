/// The `options` startup parameter: command-line arguments for the server process, of which only settings make sense
/// behind a pool: `-c name=value`, `-cname=value`, `--name=value`. A backslash keeps the next character from splitting.
enum StartupOptions {
    static func parse(_ text: String) throws(SessionParameters.Refusal) -> [(name: String, value: String)] {
        var settings: [(name: String, value: String)] = []
        var words = self.split(text)[...]
        while let word = words.popFirst() {
            // Scalars, not characters: a combining mark does not change what precedes it.
            let assignment: Substring.UnicodeScalarView
            if word == "-c" {
                guard let next = words.popFirst() else { throw .unsupportedOptions(word) }
                assignment = next.unicodeScalars[...]
            } else if word.utf8.starts(with: "-c".utf8) || word.utf8.starts(with: "--".utf8) {
                assignment = word.unicodeScalars.dropFirst(2)
            } else {
                throw .unsupportedOptions(word)
            }
            guard let equals = assignment.firstIndex(of: "=") else { throw .unsupportedOptions(word) }
            // Dashes stand for underscores in option names, as in PostgreSQL.
            var name = String.UnicodeScalarView()
            for scalar in assignment[..<equals] { name.append(scalar == "-" ? "_" : scalar) }
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
