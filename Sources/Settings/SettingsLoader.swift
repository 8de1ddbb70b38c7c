/// Reads settings files. Blocks on file reading; called at start and on reload, never on a worker.
package enum SettingsLoader {
    /// Reads the main file, merges its included files and validates the whole.
    ///
    /// - Parameters:
    ///   - path: the main file; `.yaml` and `.yml` are YAML, everything else TOML. Relative paths inside begin at its
    ///     folder.
    ///   - environment: variables for `${NAME}`.
    /// - Throws: all problems found, with file, line and key.
    package static func load(
        path: String,
        environment: [String: String]
    ) throws(SettingsErrors) -> GatewaySettings {
        let text: String
        do {
            text = try BoundedFile.read(path, maximumBytes: SettingsLimits.maximumFileBytes)
        } catch {
            let location = SourceLocation(file: path)
            throw SettingsErrors([SettingsProblem(at: location, keyPath: "", reason: "the file \(error.reason)")])
        }
        return try Self.load(text: text, format: SettingsFormat(fileName: path), path: path, environment: environment)
    }

    /// As ``load(path:environment:)`` with the main file's content at hand.
    package static func load(
        text: String,
        format: SettingsFormat,
        path: String,
        environment: [String: String] = [:]
    ) throws(SettingsErrors) -> GatewaySettings {
        let folder = path.lastIndex(of: "/").map { slash in slash == path.startIndex ? "/" : String(path[..<slash]) }
        let references = ReferenceExpansion(environment: environment, baseFolder: folder ?? "")
        var diagnostics = Diagnostics()
        var files = [path]
        guard text.utf8.count <= SettingsLimits.maximumFileBytes else {
            let reason = "the file is larger than \(SettingsLimits.maximumFileBytes) bytes"
            throw SettingsErrors([SettingsProblem(at: SourceLocation(file: path), keyPath: "", reason: reason)])
        }
        guard var root = Self.parse(text, format: format, file: path, into: &diagnostics) else {
            throw SettingsErrors(diagnostics.problems)
        }
        root = TreeMerge.withPresentNames(root, into: &diagnostics)
        for include in Self.includes(of: root, references, into: &diagnostics) {
            files.append(include.path)
            guard let tree = Self.read(include, into: &diagnostics) else { continue }
            root = TreeMerge.merge(tree, over: root, keyPath: "", into: &diagnostics)
        }
        guard diagnostics.problems.isEmpty else {
            throw SettingsErrors(diagnostics.problems, files: files, omittedCount: diagnostics.omittedCount)
        }
        var builder = SettingsBuilder(references: references, diagnostics: diagnostics)
        let settings = builder.build(root, sourceFiles: files)
        guard builder.diagnostics.problems.isEmpty else {
            let found = builder.diagnostics
            throw SettingsErrors(found.problems, files: files, omittedCount: found.omittedCount)
        }
        return settings
    }

    private static func parse(
        _ text: String,
        format: SettingsFormat,
        file: String,
        into diagnostics: inout Diagnostics
    ) -> SettingsNode? {
        do {
            switch format {
            case .toml:
                return try TOMLTree.parse(text, file: file)
            case .yaml:
                let empty = SettingsNode(content: .table([]), location: SourceLocation(file: file, line: 1))
                return try YAMLTree.parse(text, file: file) ?? empty
            }
        } catch {
            diagnostics.report(error)
            return nil
        }
    }

    /// A file named by `include.files` and where it is named.
    private struct Include {
        var path: String
        var location: SourceLocation
    }

    private static func includes(
        of root: SettingsNode,
        _ references: ReferenceExpansion,
        into diagnostics: inout Diagnostics
    ) -> [Include] {
        guard let include = root["include"], let files = include["files"], case .list(let items) = files.content else {
            return []
        }
        guard items.count <= SettingsLimits.maximumIncludes else {
            let reason = "names more than \(SettingsLimits.maximumIncludes) files"
            diagnostics.report(files.location, "include.files", reason)
            return []
        }
        let decoder = ValueDecoder(references: references)
        // An element of another type is reported when the section is decoded.
        return items.compactMap { item in
            guard case .text(let path)? = try? decoder.decode(item, as: .path) else { return nil }
            return Include(path: path, location: item.location)
        }
    }

    /// The tree of an included file without its own `include`.
    private static func read(_ include: Include, into diagnostics: inout Diagnostics) -> SettingsNode? {
        let text: String
        do {
            text = try BoundedFile.read(include.path, maximumBytes: SettingsLimits.maximumFileBytes)
        } catch {
            diagnostics.report(include.location, "include.files", "the file \(include.path) \(error.reason)")
            return nil
        }
        let format = SettingsFormat(fileName: include.path)
        guard let tree = Self.parse(text, format: format, file: include.path, into: &diagnostics) else { return nil }
        guard case .table(let entries) = TreeMerge.withPresentNames(tree, into: &diagnostics).content else {
            diagnostics.report(tree.location, "", "expected a table, found \(tree.kindInWords)")
            return nil
        }
        if let nested = entries.first(where: { $0.key == "include" }) {
            diagnostics.warn(nested.location, "include", "is not followed in an included file")
        }
        let kept = entries.filter { $0.key != "include" }
        return SettingsNode(content: .table(kept), location: tree.location)
    }
}
