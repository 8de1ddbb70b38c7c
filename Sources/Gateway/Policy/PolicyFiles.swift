import Foundation
package import HBA

package enum PolicyFiles {
    package static let reader = HBAFileReader(
        read: { path in
            guard let data = FileManager.default.contents(atPath: path) else { return .failure(.missing) }
            return data.count > HBAPolicy.maximumTextSize ? .failure(.tooLarge) : .success(Array(data))
        },
        list: { path in
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
                return .failure(.missing)
            }
            return .success(names)
        }
    )

    package static func interfaces() -> [HBAInterface] { [] }
}
