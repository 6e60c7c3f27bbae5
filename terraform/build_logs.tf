# CloudWatch counts what any log line tells it to, in any namespace, with no right but to write that log (the embedded metric
# format). A build's output is such a log. So nothing is counted there: else a command could ring every alarm, end one that
# rings, and make metrics, which are billed, without bound.

resource "aws_cloudformation_stack" "build_logs" {
  #checkov:skip=CKV_AWS_124:Terraform makes it and waits for it: whoever applies is told how it went.
  count = var.metrics_from_build_logs ? 0 : 1

  name = "${local.names.prefix}build-logs"

  # By way of CloudFormation, because aws_cloudwatch_log_account_policy does not know this type of policy in all versions of the
  # provider that versions.tf allows. Not by a log class: the one that counts nothing, Infrequent Access, cannot be read line
  # by line either, and `iwomp logs` could show nothing.
  template_body = jsonencode({
    Resources = {
      NoMetrics = {
        Type = "AWS::Logs::AccountPolicy"
        Properties = {
          PolicyName     = "${local.names.prefix}build-logs"
          PolicyType     = "METRIC_EXTRACTION_POLICY"
          PolicyDocument = jsonencode({ EmbeddedMetricFormat = { Status = "Disabled" } })
          # Of two policies of an account neither may hold for what the other holds for.
          SelectionCriteria = "LogGroupNamePrefix IN [\"/aws/codebuild/${local.names.prefix}\"]"
          Scope             = "ALL"
        }
      }
    }
  })
}
