require "json"

# Written by the bench: repository, folder, host, services.
setting = JSON.parse(File.read(File.join(__dir__, "..", "setting.json")))
services = setting["services"]

lock "~> 3.17"
set :application, "pakashop"
set :repo_url, setting["repository"]
set :branch, "production"
set :deploy_to, setting["folder"]
set :format, :simpletext
set :keep_releases, 5
# npm replaces a linked node_modules, so only the virtual environments are kept from release to release.
set :linked_dirs, services.select { |each| each["language"] == "python" }.map { |each| "services/#{each["name"]}/venv" }
set :ssh_options, {
  keys: [setting["key"]], keys_only: true, config: false,
  user_known_hosts_file: setting["known_hosts"], verify_host_key: :always,
}

server setting["address"], user: setting["user"], roles: %w[app]

namespace :services do
  task :install do
    on roles(:app) do
      services.each do |service|
        within release_path.join("services", service["name"]) do
          case service["language"]
          when "node" then execute :npm, "ci", "--omit=dev"
          when "go" then execute :go, "build", "-buildvcs=false", "-o", "bin/#{service["name"]}", "./src"
          else
            # Made in the shared folder: venv refuses a link.
            venv = shared_path.join("services", service["name"], "venv")
            execute :test, "-x", venv.join("bin/pip"), "||", :python3, "-m", "venv", venv
            execute "venv/bin/pip", "install", "-r", "requirements.txt"
          end
        end
      end
    end
  end

  task :restart do
    on roles(:app) do
      services.each { |service| execute :sudo, :systemctl, :restart, "pakashop-#{service["name"]}" }
    end
  end
end

after "deploy:updated", "services:install"
after "deploy:published", "services:restart"
