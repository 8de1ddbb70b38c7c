/// Goes through a rule file and everything it includes, record by record in the order of the texts, and collects what is
/// wrong on the way. The records are for the caller to understand.
///
/// A value used by one thread during one load. Bounded in depth (which ends cycles), in bytes and in files.
struct HBAFileWalker {
    /// Files inside files, as in PostgreSQL.
    static let maximumDepth = 10
    /// All files together, each counted as often as it is included.
    static let maximumTotalSize = 16 << 20
    static let maximumFiles = 1000

    /// `nil`: nothing can be included.
    private let reader: HBAFileReader?
    /// The columns where `@file` stands for the names in a file, from 0.
    private let listColumns: Range<Int>
    private let record: (_ line: HBALine, _ errors: inout HBAErrors) -> Void

    private(set) var errors = HBAErrors()
    private var totalSize = 0
    private var files = 0

    init(
        reader: HBAFileReader?,
        listColumns: Range<Int>,
        record: @escaping (_ line: HBALine, _ errors: inout HBAErrors) -> Void
    ) {
        self.reader = reader
        self.listColumns = listColumns
        self.record = record
    }

    /// Reads the file at the top.
    mutating func walk(path: String) {
        let bytes: [UInt8]
        switch self.reader?.read(path) ?? .failure(.missing) {
        case .success(let read): bytes = read
        case .failure(let problem):
            self.errors.append(HBAError(file: path, line: 0, column: 0, reason: "cannot be read: \(problem)"))
            return
        }
        self.walk(bytes: bytes, file: path)
    }

    /// Reads a text at the top.
    mutating func walk(bytes: [UInt8], file: String) {
        guard bytes.count <= HBAPolicy.maximumTextSize else {
            let reason = "the text is longer than \(HBAPolicy.maximumTextSize) bytes"
            self.errors.append(HBAError(file: file, line: 0, column: 0, reason: reason))
            return
        }
        self.totalSize += bytes.count
        self.walk(bytes: bytes, file: file, depth: 0)
    }

    private mutating func walk(bytes: [UInt8], file: String, depth: Int) {
        for entry in HBALexer.entries(of: bytes, file: file) {
            switch entry {
            case .refused(let error): self.errors.append(error)
            case .line(let line): self.take(line, depth: depth)
            }
        }
    }

    private mutating func take(_ line: HBALine, depth: Int) {
        if let directive = HBAIncludeDirective(line) {
            self.include(directive, in: line, depth: depth + 1)
        } else if let expanded = self.expand(line, depth: depth + 1) {
            self.record(expanded, &self.errors)
        }
    }

    private mutating func include(_ directive: HBAIncludeDirective, in line: HBALine, depth: Int) {
        guard line.fields.count == 2, line.fields[1].tokens.count == 1, !line.fields[1].first.text.isEmpty else {
            self.errors.append(line.fields[0].first.error("\(directive.rawValue) takes one name and nothing else"))
            return
        }
        let token = line.fields[1].first
        let path = HBAFilePath.resolve(token.text, from: token.source.file)
        switch directive {
        case .include, .includeIfExists:
            let isOptional = directive == .includeIfExists
            guard let bytes = self.open(path, for: token, depth: depth, isOptional: isOptional) else { return }
            self.walk(bytes: bytes, file: path, depth: depth)
        case .includeDirectory:
            for name in self.list(path, for: token) {
                let inner = HBAFilePath.join(path, name)
                guard let bytes = self.open(inner, for: token, depth: depth, isOptional: false) else { continue }
                self.walk(bytes: bytes, file: inner, depth: depth)
            }
        }
    }

    // MARK: Lists of names

    /// The line with the names of its `@file` words in their place; `nil` after an error.
    private mutating func expand(_ line: HBALine, depth: Int) -> HBALine? {
        let columns = self.listColumns.clamped(to: line.fields.indices)
        guard columns.contains(where: { line.fields[$0].tokens.contains(where: \.isFileInclusion) }) else { return line }
        var fields = line.fields
        for column in columns {
            var names: [HBAToken] = []
            for token in fields[column].tokens {
                guard let found = self.names(of: token, depth: depth) else { return nil }
                names += found
            }
            guard let field = HBAField(names) else {
                self.errors.append(fields[column].first.error("the list is empty: no name is in the file"))
                return nil
            }
            fields[column] = field
        }
        return HBALine(source: line.source, fields: fields)
    }

    /// The words of a file, or the word itself.
    private mutating func names(of token: HBAToken, depth: Int) -> [HBAToken]? {
        guard token.isFileInclusion else { return [token] }
        let path = HBAFilePath.resolve(String(token.text.unicodeScalars.dropFirst()), from: token.source.file)
        guard let bytes = self.open(path, for: token, depth: depth, isOptional: false) else { return nil }
        var names: [HBAToken] = []
        var isGood = true
        for entry in HBALexer.entries(of: bytes, file: path) {
            guard case .line(let line) = entry, HBAIncludeDirective(line) == nil else {
                self.errors.append(entry.listError)
                isGood = false
                continue
            }
            for inner in line.fields.lazy.flatMap(\.tokens) {
                guard let found = self.names(of: inner, depth: depth + 1) else { return nil }
                names += found
            }
        }
        return isGood ? names : nil
    }

    // MARK: Files

    /// The bytes of an included file; `nil` when it cannot be read, which is an error, or when it may be missing.
    private mutating func open(_ path: String, for token: HBAToken, depth: Int, isOptional: Bool) -> [UInt8]? {
        guard let reader = self.reader else {
            self.errors.append(
                token.error("files cannot be included here", hint: "only rules that stand in a file include others")
            )
            return nil
        }
        guard depth <= Self.maximumDepth else {
            let hint = "at most \(Self.maximumDepth) files inside each other; does the file include itself?"
            self.errors.append(token.error("\(path.excerpt) is nested too deep", hint: hint))
            return nil
        }
        self.files += 1
        guard self.files <= Self.maximumFiles, self.totalSize <= Self.maximumTotalSize else {
            let reason = self.files == Self.maximumFiles + 1 ? "too many files are included" : nil
            let size = self.totalSize > Self.maximumTotalSize ? "the included files are too large together" : nil
            if let reason = reason ?? size { self.errors.append(token.error(reason)) }
            return nil
        }
        switch reader.read(path) {
        case .success(let bytes) where bytes.count <= HBAPolicy.maximumTextSize:
            self.totalSize += bytes.count
            return bytes
        case .failure(.missing) where isOptional:
            return nil
        case .success:
            self.errors.append(token.error("\(path.excerpt) cannot be read: \(HBAFileProblem.tooLarge)"))
        case .failure(let problem):
            self.errors.append(token.error("\(path.excerpt) cannot be read: \(problem)"))
        }
        return nil
    }

    private mutating func list(_ folder: String, for token: HBAToken) -> [String] {
        guard let reader = self.reader else {
            self.errors.append(
                token.error("files cannot be included here", hint: "only rules that stand in a file include others")
            )
            return []
        }
        switch reader.list(folder) {
        case .success(let names):
            return HBAFilePath.included(names)
        case .failure(let problem):
            self.errors.append(token.error("the folder \(folder.excerpt) cannot be read: \(problem)"))
            return []
        }
    }
}

/// A line that stands for the lines of other files.
enum HBAIncludeDirective: String {
    case include
    case includeIfExists = "include_if_exists"
    case includeDirectory = "include_dir"

    /// `nil` for any other line.
    init?(_ line: HBALine) {
        guard let word = line.fields.first?.first.text, let directive = HBAIncludeDirective(rawValue: word) else {
            return nil
        }
        self = directive
    }
}

extension HBALexer.Entry {
    /// Why the line cannot stand in a list of names.
    fileprivate var listError: HBAError {
        switch self {
        case .refused(let error): error
        case .line(let line):
            line.fields[0].first.error(
                "an include directive inside a list of names",
                hint: "write @ before the name of a file with more names"
            )
        }
    }
}
