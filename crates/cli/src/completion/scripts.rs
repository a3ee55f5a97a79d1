//! What is added to the scripts that the library makes, which know commands and options alone: names come from
//! `dunlin names`, asked while somebody types.

use clap_complete::Shell;

const BASH: &str = r#"
_dunlin_names() {
    _dunlin "$@"
    local current="${COMP_WORDS[COMP_CWORD]}" name
    local -a names=()
    case "${current}" in -*) return 0 ;; esac
    while IFS= read -r name; do
        if [[ "${name}" == "${current}"* ]]; then names+=("${name}"); fi
    done < <(command dunlin names -- "${COMP_WORDS[@]:0:COMP_CWORD}" 2>/dev/null)
    if [[ ${#names[@]} -gt 0 ]]; then
        COMPREPLY=("${names[@]}")
        if [[ "${names[*]}" == *= ]]; then compopt -o nospace 2>/dev/null; fi
    fi
    return 0
}
"#;

const ZSH: &str = r#"
_dunlin_names() {
    local -a line names
    line=(${(Q)${(z)LBUFFER}})
    if [[ "${LBUFFER}" != *[[:space:]] ]]; then line[-1]=(); fi
    names=(${(f)"$(command dunlin names -- "${(@)line}" 2>/dev/null)"})
    if (( ! ${#names} )); then _default; return; fi
    if [[ "${names[1]}" == *= ]]; then compadd -S '' -- "${(@)names}"; else compadd -- "${(@)names}"; fi
}
"#;

const FISH: &str = r#"
function __dunlin_names
    command dunlin names -- (commandline -opc) 2>/dev/null
end
complete -c dunlin -n 'count (__dunlin_names) >/dev/null' -f -a '(__dunlin_names)'
"#;

/// The script with names.
pub(super) fn with_names(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => {
            let asks = script.replace("complete -F _dunlin ", "complete -F _dunlin_names ");
            format!("{BASH}\n{asks}")
        }
        Shell::Zsh => {
            // Its first line tells zsh what it is; arguments of no other kind are asked for.
            let asks = script.replace(":_default'", ":_dunlin_names'");
            match asks.split_once('\n') {
                Some((first, rest)) => format!("{first}\n{ZSH}{rest}"),
                None => asks,
            }
        }
        Shell::Fish => format!("{script}{FISH}"),
        _ => script.to_owned(),
    }
}
