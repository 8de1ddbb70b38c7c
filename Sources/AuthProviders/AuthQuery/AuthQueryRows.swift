import Foundation
import Sessions

/// The rows of an answer as they came, in text format.
package struct AuthQueryRows: Sendable, Equatable {
    package var columns: [String]
    /// One value per column; nil is NULL.
    package var rows: [[[UInt8]?]]

    package init(columns: [String], rows: [[[UInt8]?]]) {
        self.columns = columns
        self.rows = rows
    }
}

/// What the rows of a query for a secret mean. A value made by one look at them.
struct AuthQueryReading: Sendable {
    let result: Result<AuthQueryRecord, AuthQueryProblem>
    /// For the log; without any part of a secret.
    private(set) var warnings: [String] = []
    private(set) var droppedParameters = 0

    private static let passwordColumns = ["passwd", "password"]
    private static let parametersColumn = "startup_parameters"
    /// Bytes of the text of `startup_parameters`: what a startup packet has room for.
    static let parameterBytesMax = 9488

    /// - Parameter problemWithName: why no startup parameter may have a name; nil when one may.
    init(_ answer: AuthQueryRows, problemWithName: (String) -> String?) {
        let names = answer.columns
        let named = Self.passwordColumns.lazy.compactMap { names.firstIndex(of: $0) }.first
        // Before the rows: a query without the column is an error for unknown users as for known ones.
        guard let column = named ?? (names.count == 1 ? 0 : nil) else {
            self.result = .failure(AuthQueryProblem("auth_query returned no column passwd or password"))
            return
        }
        guard let row = answer.rows.first else {
            self.result = .success(.unknown)
            return
        }
        guard answer.rows.count == 1, row.count == names.count else {
            self.result = .failure(AuthQueryProblem("auth_query returned more than one row, expected 0 or 1"))
            return
        }
        guard let secret = Self.secret(row[column], &self.warnings) else {
            self.result = .success(.unknown)
            return
        }
        var record = AuthQueryRecord(secret: secret)
        if let index = names.firstIndex(of: Self.parametersColumn), index != column {
            record.startupParameters = Self.parameters(
                row[index], problemWithName, &self.warnings, &self.droppedParameters
            )
        }
        self.result = .success(record)
    }

    /// Nil for NULL, for the empty text, and (with a warning) for what no password can be checked against.
    private static func secret(_ value: [UInt8]?, _ warnings: inout [String]) -> StoredSecret? {
        guard let value, !value.isEmpty else { return nil }
        do throws(StoredSecretError) {
            return try StoredSecret(parsing: String(decoding: value, as: UTF8.self))
        } catch {
            warnings.append("auth_query returned a password that cannot be used: \(error)")
            return nil
        }
    }

    private static func parameters(
        _ value: [UInt8]?,
        _ problemWithName: (String) -> String?,
        _ warnings: inout [String],
        _ dropped: inout Int
    ) -> [String: String] {
        guard let value else { return [:] }
        func drop(_ reason: String) {
            dropped += 1
            warnings.append("startup_parameters of auth_query: \(reason)")
        }
        guard value.count <= Self.parameterBytesMax else {
            drop("the text has \(value.count) bytes, at most \(Self.parameterBytesMax) are read")
            return [:]
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any] else {
            drop("the text is not a JSON object")
            return [:]
        }
        var parameters: [String: String] = [:]
        // In a fixed order, so that of two spellings of a name always the same one counts.
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            let shown = name.prefix(UserName.bytesMax)
            if let reason = problemWithName(name) {
                drop("\"\(shown)\": \(reason)")
            } else if let text = value as? String, !text.utf8.contains(0) {
                if parameters.updateValue(text, forKey: name.lowercased()) != nil { drop("\"\(shown)\" stands twice") }
            } else {
                drop("the value of \"\(shown)\" is not a string")
            }
        }
        return parameters
    }
}
