# Runs, checks everything, prints a table. Options go to p9_microstream, such as: 20s --simulate
#   powershell -ExecutionPolicy Bypass -File quick-test.ps1
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
& (Join-Path -Path $PSScriptRoot -ChildPath 'start.ps1') '--quick-test' @args
exit $LASTEXITCODE
