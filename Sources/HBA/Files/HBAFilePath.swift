/// Names of files inside of rule files.
enum HBAFilePath {
    /// The path of a file named in another: a relative name counts from the folder of the other.
    static func resolve(_ name: String, from file: String) -> String {
        guard !name.begins(with: "/"), let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return name }
        return String(file[...slash]) + name
    }

    /// The files of a folder that `include_dir` takes: `*.conf` without hidden ones, in the order of their bytes.
    static func included(_ names: [String]) -> [String] {
        names.filter { $0.utf8.count > 5 && !$0.begins(with: ".") && $0.utf8.suffix(5).elementsEqual(".conf".utf8) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func join(_ folder: String, _ name: String) -> String {
        folder.utf8.last == UInt8(ascii: "/") ? folder + name : folder + "/" + name
    }
}
