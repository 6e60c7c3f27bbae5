# The programs of the functions. The archive of a release has them beside this file, with their sums by architecture
# (scripts/dist.py); in the repository they are where `make build` leaves them.

locals {
  released = try(jsondecode(file("${path.module}/zips/sums.json")), null)
  zips = {
    for name, given in { launcher = var.launcher_zip, notifier = var.notifier_zip, broker = var.broker_zip } :
    name => coalesce(given, local.released == null
      ? "${path.module}/../target/lambda/${name}/bootstrap.zip"
      : "${path.module}/zips/${var.architecture}/${name}.zip"
    )
  }
  # Those that a release did not come with.
  foreign_zips = [
    for name, zip in local.zips : name
    if local.released != null && fileexists(zip) && try(filesha256(zip) != local.released[var.architecture][name], true)
  ]
}
